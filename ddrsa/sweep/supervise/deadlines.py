"""Time limits of runs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.texts import count_of

# How often to look which attempts wait for what they need: for a GPU, files of a directory are read.
LOOK_SECONDS = 1.0


@dataclass
class _Clock:
    """Of an attempt under way. used: seconds of the run until `since`."""

    run: PlannedRun
    limit: float
    used: float
    since: float


class Deadlines:
    """The time that all attempts at a run have together.

    Only what they work counts: no time between attempts, and none in which an attempt waits for a GPU or a machine.
    The `instant` of a call is the time of a monotonic clock.
    """

    def __init__(self, timeout: float | None, waiting: Callable[[], Collection[int]]) -> None:
        """timeout: in seconds, for a run without one of its own; None for no limit.

        waiting: gives the numbers of the attempts whose time does not count now.
        """
        self._timeout = timeout
        self._waiting = waiting
        self._clocks: dict[int, _Clock] = {}
        self._used: dict[Path, float] = {}  # of each run, by the attempts that have ended
        self._next_look = 0.0

    def begin(self, number: int, run: PlannedRun, instant: float) -> None:
        """The attempt `number` at the run starts."""
        limit = self._timeout if run.timeout is None else 60 * run.timeout
        if limit is not None:
            self._clocks[number] = _Clock(run, limit, self._used.get(run.directory, 0.0), instant)

    def end(self, number: int, instant: float) -> None:
        """The attempt `number` has ended."""
        clock = self._clocks.pop(number, None)
        if clock is not None:
            self._used[clock.run.directory] = clock.used + instant - clock.since

    def overdue(self, instant: float) -> list[tuple[int, str]]:
        """The attempts at runs that have used up their time, each with the reason in words."""
        if self._clocks and instant >= self._next_look:
            self._look(instant)
        return [
            (number, f"it took longer than timeout={count_of(clock.limit / 60, 'minute')}")
            for number, clock in self._clocks.items()
            if clock.used + instant - clock.since >= clock.limit
        ]

    def _look(self, instant: float) -> None:
        waiting = self._waiting()
        for number, clock in self._clocks.items():
            if number not in waiting:
                clock.used += instant - clock.since
            clock.since = instant
        self._next_look = instant + LOOK_SECONDS
