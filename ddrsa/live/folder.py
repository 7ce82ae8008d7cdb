"""Sweeps beneath a folder, each with an id of its own: addresses name no path."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

from ddrsa.live.sweep import LiveSweep
from ddrsa.rundir.sweep_files import CONFIG, MANIFEST

# A sweep that begins is seen after so long; looking takes no more than a twentieth of the time.
LOOK_SECONDS = 5.0
SHARE = 20
# Where nobody has put a sweep, the search for one ends: in a home directory, say.
MOST_DIRECTORIES = 20_000


class Folder:
    """The sweeps beneath `root`, which may be one itself.

    cut: whether there are more directories than were looked at. single: the number of runs that belong to no sweep.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cut = False
        self.single = 0
        self._sweeps: dict[str, LiveSweep] = {}
        self._lock = threading.Lock()
        self._next = 0.0

    def sweeps(self) -> dict[str, LiveSweep]:
        """By their ids, the one that was started last first."""
        with self._lock:
            if time.monotonic() >= self._next:
                began = time.monotonic()
                found = {_id(path, self.root): path for path in self._find()}
                self._sweeps = {key: self._sweeps.get(key) or LiveSweep(path) for key, path in found.items()}
                self._next = time.monotonic() + max(LOOK_SECONDS, SHARE * (time.monotonic() - began))
            return self._sweeps

    def notes(self) -> list[str]:
        """What is to be said of what is not listed."""
        cut = f"There are more than {MOST_DIRECTORIES} directories; the rest was not looked at." if self.cut else ""
        one = f"Single runs, which belong to no sweep, are not listed ({self.single})." if self.single else ""
        return [note for note in (cut, one) if note]

    def name(self, sweep: LiveSweep) -> str:
        """Its path beneath the root; of the root itself the end of its path."""
        place = sweep.directory.relative_to(self.root).as_posix()
        return "/".join(self.root.absolute().parts[-2:]) if place == "." else place

    def _find(self) -> list[Path]:
        found: list[tuple[int, Path]] = []
        without: list[Path] = []
        looked = 0
        for directory, names, files in os.walk(self.root):
            path = Path(directory)
            looked += 1
            stamps = [_changed(path / name) for name in (MANIFEST, CONFIG) if name in files]
            if stamps:
                found.append((max(stamps), path))
                names.clear()  # its runs
            elif ".hydra" in names:
                without.append(path)  # a run that belongs to no sweep
                names.clear()
            elif looked > MOST_DIRECTORIES:
                break
            names[:] = sorted(name for name in names if not name.startswith("."))
        self.cut, self.single = looked > MOST_DIRECTORIES, len(without) if found else 0
        # Launchers of others may write neither file; such runs are shown together.
        if without and not found:
            return [self.root]
        return [path for _, path in sorted(found, key=lambda each: -each[0])]


def _id(path: Path, root: Path) -> str:
    return hashlib.sha256(path.relative_to(root).as_posix().encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _changed(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0
