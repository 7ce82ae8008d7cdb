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

from ddrsa.scripts.discovery import ENVIRONMENT_MARKS, SKIPPED_FOLDERS

MIB = 2**20
# Linked as a whole: no script leaves its results there.
_NO_PLACE_FOR_RESULTS = SKIPPED_FOLDERS - {"test", "tests"} | {".git", ".hg", ".svn", ".tox", ".nox", ".direnv"}


@dataclass(frozen=True)
class Limits:
    """What of a working directory stands in that of a run again.

    file_mib: a file up to this size is copied; total_mib: until so much is; others are linked. A run pays for a copy
        with its time on the disk, and for a link with nothing, as long as it does not change the file in its place.
    entries: so many stand again one by one; folders beyond that are linked as a whole.
    """

    file_mib: float = 16
    total_mib: float = 256
    entries: int = 5000


_Stamp = tuple[int, int] | None


@dataclass
class Shared:
    """What a run has in common with others, in spite of its own directory.

    files: what lies behind links, with its size and time of change when the run began; folders too.
    folders: linked as a whole, since there are too many entries.
    copies: those of small files in the run's directory, likewise.
    unseen: whether more lies behind links than was looked at.
    """

    files: dict[Path, _Stamp] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    copies: dict[Path, _Stamp] = field(default_factory=dict)
    unseen: bool = False

    def changed(self) -> list[Path]:
        """What was written behind links while the run was under way, by it or by another: files, and new entries."""
        found = []
        for path, before in self.files.items():
            if _stamp(path) == before:
                continue
            if not path.is_dir():
                found.append(path)
            else:
                found += [Path(entry.path) for entry in _entries(path) if Path(entry.path) not in self.files]
        return found

    def look_behind(self, folder: Path, most: int, own: Path) -> None:
        """Note what lies in a folder that is linked as a whole, as far as that is not too much.

        own: the directory of the run. What holds it, by whatever name, is left out: its sweep changes all the time.
        """
        folders = deque([folder])
        while folders:
            place = folders.popleft()
            if own.resolve().is_relative_to(place.resolve()):
                continue
            self.files[place] = _stamp(place)
            for entry in _entries(place):
                if len(self.files) >= most:
                    self.unseen = True
                    return
                if entry.is_dir(follow_symlinks=False):
                    if not _is_no_place_for_results(Path(entry.path)):
                        folders.append(Path(entry.path))
                else:
                    self.files[Path(entry.path)] = _stamp(Path(entry.path))


@contextmanager
def own_directory(shared: Path, parent: Path, limits: Limits | None = None) -> Iterator[tuple[Path, Shared]]:
    """A directory below `parent` with the name and the entries of `shared`; its neighbours stand beside it.

    Files that an earlier attempt left there stay. At the end only what the run has written is left.
    """
    limits = limits or Limits()
    place = parent / (shared.name or "root")
    place.mkdir(parents=True, exist_ok=True)
    common = Shared()
    _populate(shared, place, parent, common, limits)
    # ../data of the script
    for entry in _entries(shared.parent):
        path = Path(entry.path)
        if entry.path != str(shared) and not _holds(path, parent):
            _link(path, parent / entry.name)
            if not entry.name.startswith(".") and entry.is_dir() and not _is_no_place_for_results(path):
                common.look_behind(path, limits.entries, parent)
    try:
        yield place, common
    finally:
        _take_links_away(shared.parent, parent)
        _take_away(shared, place, common)


def _populate(shared: Path, place: Path, run: Path, common: Shared, limits: Limits) -> None:
    folders = deque([(shared, place)])
    entries, copied = 0, 0
    while folders:
        source, target = folders.popleft()
        for entry in _entries(source):
            path, here = Path(entry.path), target / entry.name
            entries += 1
            if os.path.lexists(here) and not (here.is_dir() and not here.is_symlink()):
                if here.is_symlink() and entry.is_file():
                    common.files[path] = _stamp(path)  # the link of an attempt that was killed
                continue
            if entry.is_dir():
                if _holds(path, run):
                    continue  # the sweep itself, whose runs are nobody's inputs
                is_beyond = entries > limits.entries
                if is_beyond or entry.is_symlink() or _is_no_place_for_results(path):
                    _link(path, here)
                    if is_beyond:
                        common.folders.append(path)
                    if is_beyond or entry.is_symlink():
                        common.look_behind(path, limits.entries, run)
                    continue
                here.mkdir(exist_ok=True)
                folders.append((path, here))
            elif entry.is_file():
                size = entry.stat().st_size
                if size <= limits.file_mib * MIB and copied + size <= limits.total_mib * MIB:
                    copied += size
                    shutil.copy2(path, here)
                    common.copies[here] = _stamp(here)
                else:
                    _link(path, here)
                    common.files[path] = _stamp(path)


def _is_no_place_for_results(folder: Path) -> bool:
    return folder.name in _NO_PLACE_FOR_RESULTS or any((folder / mark).exists() for mark in ENVIRONMENT_MARKS)


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


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
