"""Paths beneath the directory of a sweep: a manifest that somebody else has written leads nowhere else."""

from __future__ import annotations

from pathlib import Path


def beneath(root: Path, name: str) -> Path | None:
    """The path `name` beneath `root`; None where it is absolute, or leads upwards."""
    path = Path(name)
    return None if path.is_absolute() or ".." in path.parts else root / path


def has_links(root: Path, path: Path) -> bool:
    """Whether a part of `path` beneath `root` is a link. `root` itself may be one: the user has named it."""
    parts = path.relative_to(root).parts
    return any(root.joinpath(*parts[:count]).is_symlink() for count in range(1, len(parts) + 1))
