"""Estimate of the time that the rest of a sweep will take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ddrsa.rundir.states import State
from ddrsa.sweep.show.run_view import RunView, run_seconds


class Durations:
    """Durations of runs, by their kind."""

    def __init__(self) -> None:
        # Sums, not all of them: this is asked for thousands of runs, several times a second.
        self._of_kind: dict[str, tuple[float, int]] = {}
        self._of_all = (0.0, 0)

    def add(self, kind: str, seconds: float) -> None:
        """A run of this kind took so long."""
        total, count = self._of_kind.get(kind, (0.0, 0))
        self._of_kind[kind] = total + seconds, count + 1
        self._of_all = self._of_all[0] + seconds, self.count + 1

    @property
    def count(self) -> int:
        """The runs that were added."""
        return self._of_all[1]

    def expected(self, kind: str) -> float | None:
        """The mean of this kind, else of all runs; None before there is any."""
        total, count = self._of_kind.get(kind, self._of_all)
        return total / count if count else None

    def copy(self) -> Durations:
        """A copy to which runs can be added without a change of this."""
        other = Durations()
        other._of_kind, other._of_all = dict(self._of_kind), self._of_all
        return other


def durations_of(runs: Iterable[RunView]) -> Durations:
    """Durations of the runs that are done, from their files."""
    durations = Durations()
    for run in runs:
        if run.state.is_done and (seconds := run_seconds(run.directory)) is not None:
            durations.add(run.kind, seconds)
    return durations


def remaining_seconds(runs: Sequence[RunView], durations: Durations, n_jobs: int) -> float | None:
    """The time until the last of `runs` ends, when `n_jobs` run at once; None while nothing is known.

    A run under way is judged by its own epochs, one that waits by the runs of its kind, done or under way.
    """
    known = durations.copy()
    under_way = [run for run in runs if run.state is State.RUNNING]
    rests = {run.directory: _rest(run, known) for run in under_way}
    for run in under_way:
        if rests[run.directory] is None and (expected := known.expected(run.kind)) is not None:
            rests[run.directory] = max(expected - (run.seconds or 0.0), 0.0)
    waiting = [known.expected(run.kind) for run in runs if run.state in (State.PENDING, State.LOST)]
    parts = [*rests.values(), *waiting]
    certain = [part for part in parts if part is not None]
    if len(certain) < len(parts):
        return None
    workers = max(min(n_jobs, len(parts)), 1)
    longest = max(certain, default=0.0)
    return max(sum(certain) / workers, longest)


def _rest(run: RunView, durations: Durations) -> float | None:
    """The time that a run under way still takes, by its epochs; its whole time goes to `durations`."""
    per_epoch = run.seconds_per_epoch()
    if per_epoch is None or run.num_epochs is None:
        return None
    durations.add(run.kind, per_epoch * run.num_epochs)
    return max(per_epoch * (run.num_epochs - run.epoch) - (time.monotonic() - run.seen), 0.0)


def shown_duration(seconds: float | None) -> str:
    """A duration, as short as it is exact: 42 s, 12 min, 3 h 05 min, 2 d 04 h."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"
