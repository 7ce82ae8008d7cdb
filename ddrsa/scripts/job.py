"""A job: a script with what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """A script with what it is given.

    path: of the script, as the root or the file of jobs names it. module: its dotted name where it is run by
        `python -m`; then `path` is where its source was found, and may not exist.
    arguments: in front of all others, as they are. named: by the names of options, as in `scripts.args`.
    withheld: the shared options that it is not given.
    optional: whether the sweep is a success without it. timeout: in minutes, None for that of the sweep.
    python, command, working_dir, output_option: as below `scripts`; None, or (), for those.
    environment: what is added to its environment.
    """

    id: str
    path: Path
    module: str | None = None
    arguments: tuple[str, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    optional: bool = False
    timeout: float | None = None
    python: str | None = None
    command: tuple[str, ...] = ()
    working_dir: Path | None = None
    output_option: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
