"""A package that an extra would bring is missing: one line that names the extra."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ddrsa.errors import UsageError
from ddrsa.extras import missing_extra, needed

ROOT = Path(__file__).parents[1]

# Each as by python -m, in a process where none of the extras' packages can be imported.
MODULES = """
import runpy, sys
for name in ("pandas", "pooch", "torch", "scipy", "matplotlib", "requests", "tqdm"):
    sys.modules[name] = None
for name in sys.argv[1:]:
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        print(name, end.code)
"""


def test_modules_that_are_programs() -> None:
    names = ["ddrsa.predict", "ddrsa.visualize", "ddrsa.data.describe", "ddrsa.data.download", "ddrsa.data.simulate"]
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *names], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [f"{name} 2" for name in names]
    lines = done.stderr.splitlines()
    assert len(lines) == len(names)
    for name, line in zip(names, lines, strict=True):
        assert line.startswith(f"error: python -m {name} needs p")
        assert line.endswith(", which is not installed: pip install 'ddrsa[models]'")


def test_a_package_of_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert needed("yaml", "a config").__name__ == "yaml"
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(
        UsageError, match=r"^Slurm needs submitit, which is not installed: pip install 'ddrsa\[slurm\]'$"
    ):
        needed("submitit", "Slurm")


def test_any_other_module_is_no_matter_of_an_extra() -> None:
    assert missing_extra("it", ModuleNotFoundError("No module named 'nothing'", name="nothing.at.all")) is None
    assert missing_extra("it", ModuleNotFoundError("no name")) is None
