"""What the runs of a script share in spite of their own working directories, and whether a run has changed it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ddrsa.scripts.discovery import ENVIRONMENT_MARKS, SKIPPED_FOLDERS, SWEEP_MARK

# No script leaves its results there.
_NO_PLACE_FOR_RESULTS = SKIPPED_FOLDERS - {"test", "tests"} | {".git", ".hg", ".svn", ".tox", ".nox", ".direnv"}

# Size and time of change; None where there is nothing.
Stamp = tuple[int, int] | None


@dataclass
class Shared:
    """Files and folders of others than the run, as they were when it began.

    most: so many files are looked at behind links, and beside the working directory.
    own: the directory of the run. What holds it is left out: its sweep changes all the time.
    linked: folders that are links as a whole, since there are too many entries.
    unseen: whether there is more than was looked at.
    """

    most: int
    own: Path
    files: dict[Path, Stamp] = field(default_factory=dict)
    folders: dict[Path, tuple[Stamp, frozenset[str]]] = field(default_factory=dict)
    linked: list[Path] = field(default_factory=list)
    unseen: bool = False
    _looked_at: int = 0

    def __post_init__(self) -> None:
        self._printed_into = _printed_into()

    def changed(self) -> list[Path]:
        """What was written while the run was under way, by it or by another: files, and new entries of folders.

        Each once, by the first name that leads to it.
        """
        found = [path for path, before in self.files.items() if stamp_of(path) != before]
        for folder, (before, names) in self.folders.items():
            if stamp_of(folder) == before:
                continue
            if not is_directory(folder):
                found.append(folder)
            new = [Path(entry.path) for entry in entries_of(folder) if entry.name not in names]
            found += [path for path in new if not (is_directory(path) and is_no_place_for_results(path))]
        by_place = {os.path.realpath(path): path for path in reversed(found)}
        return [path for place, path in reversed(by_place.items()) if place not in self._printed_into]

    def note(self, path: Path) -> None:
        """Look whether this file changes."""
        self.files[path] = stamp_of(path)

    def note_entries(self, folder: Path, entries: Iterable[os.DirEntry[str]]) -> None:
        """Look whether this folder has new entries."""
        self.folders[folder] = stamp_of(folder), frozenset(entry.name for entry in entries)

    def look_behind(self, folder: Path) -> None:
        """Look whether something changes in a folder, as far as that is not too much."""
        folders = deque([folder])
        while folders:
            place = folders.popleft()
            if place in self.folders or self.own.resolve().is_relative_to(place.resolve()):
                continue
            if is_no_place_for_results(place):
                continue
            entries = entries_of(place)
            self.note_entries(place, entries)
            for entry in entries:
                if self._looked_at >= self.most:
                    self.unseen = True
                    return
                self._looked_at += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    self.note(Path(entry.path))


def _printed_into() -> set[str]:
    """The files that this command itself prints into: python train.py > sweep.out."""
    found = set()
    for process in (psutil.Process(), *psutil.Process().parents()):
        for descriptor in ("1", "2"):
            with contextlib.suppress(OSError):  # another user's, or not Linux
                found.add(os.path.realpath(f"/proc/{process.pid}/fd/{descriptor}"))
    return found


def is_no_place_for_results(folder: Path) -> bool:
    """Whether a folder is one of tools, an environment, or another sweep."""
    marks = (*ENVIRONMENT_MARKS, SWEEP_MARK)
    return folder.name in _NO_PLACE_FOR_RESULTS or any(_mode(folder / mark) for mark in marks)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; False where a link leads nowhere, or in a circle."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and is_directory(Path(entry.path)))


def is_directory(path: Path) -> bool:
    """As Path.is_dir, and False too where this user may not look."""
    return stat.S_ISDIR(_mode(path))


def is_regular(path: Path) -> bool:
    """As Path.is_file, and False too where this user may not look."""
    return stat.S_ISREG(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder by their names; none of one that this user may not read, or that is gone."""
    with contextlib.suppress(OSError):
        return readable_entries_of(folder)
    return []


def readable_entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder by their names. Raises OSError where it cannot be read."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def stamp_of(path: Path) -> Stamp:
    """The size of a file, and when it was changed."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
