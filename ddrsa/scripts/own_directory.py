"""A run's own working directory: it looks like the shared one, and what the run writes stays in it.

The entries of the shared directory stand in it again: small files as copies, large ones and what is beside them as
links. So a relative path of the script finds its inputs, and a file that it writes, replaces or appends to is the run's
own. When the run has ended, links and copies that it has not changed are taken away: what is left is its results.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ddrsa.scripts.discovery import is_skipped

# A file up to this size is copied, until this many bytes are; others are linked.
COPIED_FILE = 16 * 2**20
COPIED_BYTES = 256 * 2**20
# So many entries stand again one by one; folders beyond that are linked as a whole.
MOST_ENTRIES = 5000


@dataclass
class Shared:
    """What a run has in common with others, in spite of its own directory.

    files: linked ones, with their size and time of change when the run began. folders: linked as a whole.
    copies: those of small files in the run's directory, likewise.
    """

    files: dict[Path, tuple[int, int] | None] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    copies: dict[Path, tuple[int, int] | None] = field(default_factory=dict)

    def changed(self) -> list[Path]:
        """The linked files that were written while the run was under way, by it or by another."""
        return [path for path, before in self.files.items() if _stamp(path) != before]


@contextmanager
def own_directory(shared: Path, parent: Path) -> Iterator[tuple[Path, Shared]]:
    """A directory below `parent` with the name and the entries of `shared`; its neighbours stand beside it.

    Files that an earlier attempt left there stay. At the end only what the run has written is left.
    """
    place = parent / (shared.name or "root")
    place.mkdir(parents=True, exist_ok=True)
    common = Shared()
    _populate(shared, place, parent, common)
    # ../data of the script
    for entry in _entries(shared.parent):
        if entry.path != str(shared) and not _holds(Path(entry.path), parent):
            _link(Path(entry.path), parent / entry.name)
    try:
        yield place, common
    finally:
        _take_links_away(shared.parent, parent)
        _take_away(shared, place, common)


def _populate(shared: Path, place: Path, run: Path, common: Shared) -> None:
    folders = deque([(shared, place)])
    entries, copied = 0, 0
    while folders:
        source, target = folders.popleft()
        for entry in _entries(source):
            path, here = Path(entry.path), target / entry.name
            entries += 1
            if os.path.lexists(here) and not (here.is_dir() and not here.is_symlink()):
                continue
            if entry.is_dir():
                if _holds(path, run):
                    continue  # the sweep itself, whose runs are nobody's inputs
                if entries > MOST_ENTRIES or entry.is_symlink() or is_skipped(path):
                    _link(path, here)
                    if entries > MOST_ENTRIES:
                        common.folders.append(path)
                    continue
                here.mkdir(exist_ok=True)
                folders.append((path, here))
            elif entry.is_file():
                size = entry.stat().st_size
                if size <= COPIED_FILE and copied + size <= COPIED_BYTES:
                    copied += size
                    shutil.copy2(path, here)
                    common.copies[here] = _stamp(here)
                else:
                    _link(path, here)
                    common.files[path] = _stamp(path)


def _take_away(shared: Path, place: Path, common: Shared) -> None:
    """Remove from `place` the links into `shared`, the unchanged copies, and the folders that are empty then."""
    _take_links_away(shared, place)
    for entry in _entries(place):
        here, there = Path(entry.path), shared / entry.name
        if entry.is_dir(follow_symlinks=False):
            if there.is_dir():
                _take_away(there, here, common)
                if not any(here.iterdir()):
                    here.rmdir()
        # A copy is known by what it was; that of an attempt that was killed, by its original.
        elif entry.is_file() and _stamp(here) in (common.copies.get(here, ()), _stamp(there)):
            here.unlink()


def _take_links_away(shared: Path, place: Path) -> None:
    for entry in _entries(place):
        here = Path(entry.path)
        if entry.is_symlink() and here.readlink() == (shared / entry.name).absolute():
            here.unlink()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []  # not to be read by this user: neither would the script read it


def _holds(folder: Path, path: Path) -> bool:
    return path.absolute().is_relative_to(folder.absolute())


def _link(path: Path, here: Path) -> None:
    if not os.path.lexists(here):
        here.symlink_to(path.absolute())


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
