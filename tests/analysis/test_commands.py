"""The commands that an analysis suggests."""

from __future__ import annotations

import shlex
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from ddrsa.analysis.commands import sweep_further
from ddrsa.rundir.directory import RunDirectory


def test_a_text_that_looks_like_another_value_keeps_its_type(tmp_path: Path) -> None:
    tried = {"kind": ["null", "true", "1e3", "a, b", None, 2, False]}
    command = shlex.split(sweep_further(RunDirectory(tmp_path), {"name": "null"}, tried))
    assert command[:4] == ["python", "train.py", "-m", "name='null'"]
    override = OverridesParser.create().parse_override(command[4])
    assert [getattr(value, "text", value) for value in override.sweep_iterator()] == tried["kind"]
