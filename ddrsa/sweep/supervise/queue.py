"""Queue of the runs that wait for an attempt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ddrsa.sweep.supervise.run_state import SupervisedRun


class RunQueue:
    """First in, first out; a run that another process has is set aside, and put back after `look_seconds`.

    Times are those of a monotonic clock.
    """

    def __init__(self, look_seconds: float) -> None:
        self._look_seconds = look_seconds
        self._ready: deque[SupervisedRun] = deque()
        self._aside: list[tuple[float, SupervisedRun]] = []  # with the time when to put it back

    def __len__(self) -> int:
        return len(self._ready) + len(self._aside)

    def add(self, run: SupervisedRun) -> None:
        """Put a run at the end."""
        self._ready.append(run)

    def put_back(self, run: SupervisedRun) -> None:
        """Put a run that was the next at the front again."""
        self._ready.appendleft(run)

    def set_aside(self, run: SupervisedRun, instant: float, seconds: float | None = None) -> None:
        """Keep a run for later: for so many seconds, `look_seconds` by default."""
        self._aside.append((instant + (self._look_seconds if seconds is None else seconds), run))

    def next(
        self, instant: float, choose: Callable[[Sequence[SupervisedRun]], int | None] | None = None
    ) -> SupervisedRun | None:
        """The run whose turn it is; None where there is none now. choose: the place of another than the first."""
        place = 0 if choose is None else choose(self.ready(instant))
        if not self.ready(instant) or place is None:
            return None
        run = self._ready[place]
        del self._ready[place]
        return run

    def ready(self, instant: float) -> Sequence[SupervisedRun]:
        """The runs that may start now."""
        self._ready += [run for until, run in self._aside if until <= instant]
        self._aside = [(until, run) for until, run in self._aside if until > instant]
        return self._ready

    def take_all(self) -> list[SupervisedRun]:
        """All runs, which wait no more."""
        runs = [*self._ready, *(run for _, run in self._aside)]
        self._ready.clear()
        self._aside.clear()
        return runs
