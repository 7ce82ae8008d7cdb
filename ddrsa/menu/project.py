"""Where train.py, analyze.py and conf/ are."""

from __future__ import annotations

import os
from pathlib import Path

import ddrsa
from ddrsa.errors import UsageError


def project_root() -> Path:
    """The folder with train.py and conf/. Raises UsageError where the package was installed without them."""
    root = Path(ddrsa.__file__).resolve().parents[1]
    if not (root / "train.py").is_file() or not (root / "conf" / "config.yaml").is_file():
        raise UsageError(f"there is no train.py with a conf/ in {root}: the menu needs the project's own folder")
    return root


def script(name: str) -> str:
    """The path of train.py or analyze.py as one would type it here."""
    path = project_root() / name
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def choices(group: str) -> list[str]:
    """The names in conf/<group>/, sorted."""
    return sorted(path.stem for path in (project_root() / "conf" / group).glob("*.yaml"))
