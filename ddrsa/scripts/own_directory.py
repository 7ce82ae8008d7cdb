"""A run's own working directory: it looks like the shared one, and what the run writes stays in it.

The entries of the shared directory stand in it again: small files as copies, large ones and what is beside them as
links. So a relative path of the script finds its inputs, and a file that it writes, replaces or appends to is the run's
own. When the run has ended, links and copies that it has not changed are taken away: what is left is its results.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ddrsa.rundir.files import read_json, write_json
from ddrsa.scripts.discovery import SWEEP_MARK
from ddrsa.scripts.shared_files import (
    Shared,
    Stamp,
    entries_of,
    is_folder,
    is_no_place_for_results,
    is_regular,
    readable_entries_of,
    stamp_of,
)

log = logging.getLogger(__name__)

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What of a working directory stands in that of a run again.

    file_mib: a file up to this size is copied; total_mib: until so much is; others are linked. A run pays for a copy
        with its time on the disk, and for a link with nothing, as long as it does not change the file in its place.
    entries: so many stand again one by one; a folder with which there would be more is linked as a whole.
    """

    file_mib: float = 16
    total_mib: float = 256
    entries: int = 5000


@dataclass
class _StandIns:
    """What stands in a run's directory for something shared, relative to it.

    links: with what they point to. copies: with what they were; None before they are made.
    """

    folders: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    copies: dict[str, Stamp] = field(default_factory=dict)


@contextlib.contextmanager
def own_directory(
    shared: Path, parent: Path, limits: Limits | None = None, results: Path | None = None
) -> Iterator[tuple[Path, Shared]]:
    """A directory below `parent` with the name and the entries of `shared`; its neighbours stand beside it.

    results: the folder of all runs' results, whose inputs these are not; by default the sweep that `parent` is in.

    Files that an earlier attempt left there stay. At the end only what the run has written is left.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _take_away_of_a_killed_attempt(parent)
    plan = _Plan(shared, parent, limits or Limits(), results or _sweep_of(parent))
    try:
        yield plan.make(), plan.common
    finally:
        _take_away(parent, plan.stand_ins)


class _Plan:
    """What will stand in a run's directory, and then its making: a kill in between leaves nothing half-made."""

    def __init__(self, shared: Path, parent: Path, limits: Limits, results: Path) -> None:
        self.shared = shared.absolute()
        self.place = parent / (shared.name or "root")
        self.parent = parent
        self.limits = limits
        self.results = results
        self.common = Shared(limits.entries, parent)
        self.stand_ins = _StandIns()
        self.originals: dict[str, Path] = {}
        self.entries = 0
        self.copied = 0
        self._folder(self.shared, self.place)
        self._neighbours()

    def make(self) -> Path:
        record = _record(self.parent)
        write_json(record, asdict(self.stand_ins))
        self.place.mkdir(exist_ok=True)
        for name in self.stand_ins.folders:
            (self.parent / name).mkdir(exist_ok=True)
        for name, path in self.originals.items():
            try:
                shutil.copy2(path, self.parent / name)
                self.stand_ins.copies[name] = stamp_of(self.parent / name)
            except FileNotFoundError:
                continue  # it has gone since
            except PermissionError:
                self._link(path, self.parent / name)  # reading it fails in the run as it does here
        for name, target in self.stand_ins.links.items():
            (self.parent / name).symlink_to(target)
        write_json(record, asdict(self.stand_ins))
        return self.place

    def _folder(self, folder: Path, place: Path) -> None:
        """Plan what is in a folder, those on top first."""
        folders = deque([(folder, place)])
        while folders:
            source, target = folders.popleft()
            try:
                entries = readable_entries_of(source)
            except OSError:
                self._link(source, target)  # reading it fails in the run as it does here
                continue
            holds_the_run = _holds(source, self.parent)
            self.entries += len(entries)
            if self.entries > self.limits.entries and source != self.shared and not target.is_dir():
                self.entries -= len(entries)
                self._link(source, target)
                self.common.linked.append(source)
                self.common.look_behind(source)
                continue
            if source != self.shared:
                self.stand_ins.folders.append(self._name(target))
            # The sweep's own folders change all the time.
            if not (holds_the_run and (source != self.shared or source == self.results)):
                self.common.note_entries(source, entries)
            for entry in entries:
                path, here = Path(entry.path), target / entry.name
                if not is_folder(entry):
                    self._file(entry, path, here)
                elif _holds(path, self.parent):
                    if not path.is_relative_to(self.results):
                        folders.append((path, here))
                elif self._is_linked_as_a_whole(entry, path) or (holds_the_run and source != self.shared):
                    self._link(path, here)
                    if entry.is_symlink() or source != self.shared:
                        self.common.look_behind(path)
                elif not os.path.lexists(here) or (here.is_dir() and not here.is_symlink()):
                    folders.append((path, here))

    def _neighbours(self) -> None:
        """Plan what the script finds as ../data."""
        for entry in entries_of(self.shared.parent):
            path, here = Path(entry.path), self.parent / entry.name
            if path == self.shared:
                continue
            if not is_folder(entry):
                self._link(path, here)
                self.common.note(path)
            elif not _holds(path, self.parent):
                self._link(path, here)
                if not entry.name.startswith("."):
                    self.common.look_behind(path)
            elif not path.is_relative_to(self.results):
                self._folder(path, here)

    def _file(self, entry: os.DirEntry[str], path: Path, here: Path) -> None:
        if not is_regular(path):
            self._link(path, here)  # a pipe, a socket, or a link to what is not there yet
            if entry.is_symlink():
                self.common.note(path)
            return
        self.common.note(path)
        if os.path.lexists(here):
            return  # an earlier attempt has left it
        size = (stamp_of(path) or (0, 0))[0]
        is_small = size <= self.limits.file_mib * MIB and self.copied + size <= self.limits.total_mib * MIB
        if is_small and self.entries <= self.limits.entries:
            self.copied += size
            self.originals[self._name(here)] = path
            self.stand_ins.copies[self._name(here)] = None
        else:
            self._link(path, here)

    def _is_linked_as_a_whole(self, entry: os.DirEntry[str], path: Path) -> bool:
        return entry.is_symlink() or is_no_place_for_results(path)

    def _link(self, path: Path, here: Path) -> None:
        if not os.path.lexists(here):
            self.stand_ins.links[self._name(here)] = str(path)

    def _name(self, here: Path) -> str:
        return here.relative_to(self.parent).as_posix()


def _take_away_of_a_killed_attempt(parent: Path) -> None:
    """So that this attempt finds the inputs as they are now, and not as they were then."""
    if not _record(parent).exists():
        return
    try:
        record = read_json(_record(parent)) or {}
        copies = {name: None if stamp is None else (stamp[0], stamp[1]) for name, stamp in record["copies"].items()}
        _take_away(parent, _StandIns(record["folders"], record["links"], copies))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        log.warning("%s is damaged: inputs of the attempt before stay as they were then: %s", _record(parent), error)


def _take_away(parent: Path, stand_ins: _StandIns) -> None:
    """Remove the links, the unchanged copies, and the folders that are empty then."""
    for name, target in stand_ins.links.items():
        here = parent / name
        if here.is_symlink() and str(here.readlink()) == target:
            here.unlink()
    for name, stamp in stand_ins.copies.items():
        here = parent / name
        if here.is_file() and not here.is_symlink() and stamp in (None, stamp_of(here)):
            here.unlink()
    for name in reversed(stand_ins.folders):
        here = parent / name
        if here.is_dir() and not here.is_symlink() and not any(here.iterdir()):
            here.rmdir()
    _record(parent).unlink(missing_ok=True)


def _record(parent: Path) -> Path:
    """What stands in for what, for the next attempt where this one is killed. Beside the links, which have any name."""
    return parent.with_name(f".{parent.name}.json")


def _sweep_of(run: Path) -> Path:
    """The sweep that holds a run; the run's own folder where there is none."""
    above = (folder for folder in run.absolute().parents if (folder / SWEEP_MARK).is_file())
    return next(above, run.absolute())


def _holds(folder: Path, path: Path) -> bool:
    return path.absolute().is_relative_to(folder.absolute())
