"""Wait of a sweep whose disk is full: the runs that failed of it are tried again when there is room."""

from __future__ import annotations

import logging
from pathlib import Path

from ddrsa.rundir.room import LOOK_SECONDS, SECONDS_TO_WAIT, has_room
from ddrsa.sweep.supervise.events import SweepObserver
from ddrsa.sweep.supervise.run_state import SupervisedRun
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

# A run that needs more room than there ever is fails in the end.
MOST_ATTEMPTS_WITHOUT_ROOM = 10


class DiskWait:
    """The runs that wait for room, and since when. The `instant` of a call is the time of a monotonic clock."""

    def __init__(self, observer: SweepObserver, seconds: float = SECONDS_TO_WAIT) -> None:
        """observer: is told when nothing starts, and when it does again. seconds: how long to wait."""
        self._observer = observer
        self._seconds = seconds
        self._shown: str | None = None
        self._runs: list[SupervisedRun] = []
        self._directory: Path | None = None
        self._until = self._next_look = 0.0

    @property
    def reason(self) -> str | None:
        """Why nothing starts now, in words; None where the disk has room as far as is known."""
        if self._directory is None:
            return None
        limit = count_of(self._seconds / 60, "minute")
        return f"the disk of {self._directory} is full: nothing starts until there is room, for {limit} at most"

    def show(self, *, stopped: bool = False) -> None:
        """Say why nothing starts, when that changes. stopped: the sweep ends, so that nothing is waited for."""
        reason = None if stopped else self.reason
        if reason != self._shown:
            self._shown = reason
            if reason is not None:
                log.warning("%s", reason, extra={"observed": True})
            self._observer.held(reason)

    def begin_if_full(self, directory: Path, instant: float) -> bool:
        """Begin to wait where a directory has no room, and say whether it has none."""
        if has_room(directory):
            return False
        self.begin(directory, instant)
        return True

    def begin(self, directory: Path, instant: float) -> None:
        """No room was found in a directory."""
        if self._directory is None:
            self._directory, self._until, self._next_look = directory, instant + self._seconds, instant + LOOK_SECONDS

    def add(self, run: SupervisedRun, instant: float) -> bool:
        """Keep a run that failed for want of room; False where it has done so too often."""
        if run.lacked_room >= MOST_ATTEMPTS_WITHOUT_ROOM:
            return False
        run.lacked_room += 1
        self._runs.append(run)
        self.begin(run.run.directory.parent, instant)
        return True

    def take(self) -> list[SupervisedRun]:
        """The runs that wait, which do so no more."""
        runs, self._runs = self._runs, []
        return runs

    def look(self, instant: float) -> bool:
        """Whether there is room again since the last call."""
        if self._directory is None or instant < self._next_look:
            return False
        self._next_look = instant + LOOK_SECONDS
        if not has_room(self._directory):
            return False
        self._directory = None
        log.warning("the disk has room again: the sweep goes on", extra={"observed": True})
        return True

    def is_over(self, instant: float) -> bool:
        """Whether it has waited as long as it may."""
        return self._directory is not None and instant >= self._until

    def __len__(self) -> int:
        return len(self._runs)


def pause_of(run: SupervisedRun) -> float:
    """Seconds before the run is tried again: what it fills itself may be full at once."""
    return 0.0 if run.lacked_room < 2 else min(2.0**run.lacked_room, 60.0)
