"""Queue of the runs that wait for an attempt."""

from __future__ import annotations

from collections import deque

from ddrsa.sweep.supervise.run_state import SupervisedRun


class RunQueue:
    """First in, first out; a run that another process has is set aside, and put back after `look_seconds`.

    Times are those of a monotonic clock.
    """

    def __init__(self, look_seconds: float) -> None:
        self._look_seconds = look_seconds
        self._ready: deque[SupervisedRun] = deque()
        self._aside: deque[tuple[float, SupervisedRun]] = deque()  # with the time when to put it back

    def __len__(self) -> int:
        return len(self._ready) + len(self._aside)

    def add(self, run: SupervisedRun) -> None:
        """Put a run at the end."""
        self._ready.append(run)

    def set_aside(self, run: SupervisedRun, instant: float) -> None:
        """Keep a run for later."""
        self._aside.append((instant + self._look_seconds, run))

    def next(self, instant: float) -> SupervisedRun | None:
        """The run whose turn it is; None where there is none now."""
        while self._aside and self._aside[0][0] <= instant:
            self._ready.append(self._aside.popleft()[1])
        return self._ready.popleft() if self._ready else None
