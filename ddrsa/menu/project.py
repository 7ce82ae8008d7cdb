"""The commands and the config files that the menu offers."""

from __future__ import annotations

import os

from ddrsa.conf_dir import conf_dir
from ddrsa.started import COMMAND, by_command


def program(name: str) -> list[str]:
    """The words that start `train` or `analyze`, as one would type them here: `python train.py` or `ddrsa train`."""
    script = conf_dir().parent / f"{name}.py"
    if by_command() or not script.is_file():
        return [COMMAND, name]
    relative = os.path.relpath(script)
    return ["python", str(script) if relative.startswith("..") else relative]


def choices(group: str) -> list[str]:
    """The names in conf/<group>/, sorted."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))
