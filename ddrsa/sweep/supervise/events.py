"""Events of a sweep: the observer's hooks, and the outcomes that they receive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun

log = logging.getLogger(__name__)

RECORDED = ("return_value", "attempt", "started_at", "ended_at")
"""The keys of a run's status.json that all_results.json has too."""


@dataclass(frozen=True)
class Settled:
    """What was found of a run that needed no attempt.

    status: what is recorded of its status.json. has_first_result: whether test_metrics.json is that of its end; a
        command that looks at runs may have written it anew since.
    """

    status: dict[str, Any]
    has_first_result: bool


@dataclass(frozen=True)
class Outcome:
    """How a run ended, or why it did not start.

    state: PENDING where it was never started.
    reason: in one line, why it is not `completed`.
    value: what the task returned, where it completed.
    attempts: those that this launcher made; 0 where the run had completed before.
    seconds: of the last attempt.
    error: what the task raised, where it did.
    left_out: of a run that needed no attempt, what its task returned that is in no file.
    settled: of such a run, until it is recorded.
    """

    state: State
    reason: str | None = None
    value: Any = None
    attempts: int = 0
    seconds: float = 0.0
    error: Exception | None = None
    left_out: Any = None
    settled: Settled | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep ended. results: each run with its outcome, in the order of the plan.

    print_best: of a search, which has its own idea of what is best.
    metrics_of: the metrics of a run, by its directory, as all_results.json has them; empty where it has none.
    """

    directory: Path
    results: Sequence[tuple[PlannedRun, Outcome]]
    interrupted: bool
    seconds: float
    print_best: Callable[[Console], None] | None = None
    metrics_of: Callable[[Path], Mapping[str, Any]] = lambda _: {}


class SweepObserver:
    """Hooks that the supervisor calls from its thread. Each does nothing: an observer overrides those it needs."""

    def started(self, runs: Sequence[PlannedRun], n_jobs: int) -> None:
        """Before the first attempt. runs: all of the plan, those with a result too. n_jobs: the most at once."""

    def expected(self, count: int) -> None:
        """Of a search, after `started`: so many runs will be added at most."""

    def added(self, run: PlannedRun) -> None:
        """A search has planned another run."""

    def moved(self, run: PlannedRun) -> None:
        """Before its first attempt the run got another directory, because another sweep took its own meanwhile."""

    def queued(self, run: PlannedRun, attempts: int) -> None:
        """A run has no result yet. attempts: those that its status.json counts."""

    def attempt_started(self, run: PlannedRun, attempt: int) -> None:
        """A process for this run has started. attempt: 1, 2, ... of this launcher."""

    def attempt_ended(self, run: PlannedRun, state: State, reason: str | None) -> None:
        """An attempt ended; also called, without `attempt_started`, for a run that was complete already.

        It may be followed by another `attempt_started` of the same run.
        """

    def held(self, reason: str | None) -> None:
        """Nothing starts from now on, for this reason; or, where it is None, it does again."""

    def outlook(self, text: str) -> None:
        """Of a sweep with a time limit, from time to time: when all ends, in words."""

    def tick(self) -> None:
        """About four times a second."""

    def ended(self, outcome: SweepOutcome) -> None:
        """After the last attempt, also after an interrupt."""


class Observers(SweepObserver):
    """Several observers as one. One that raises is named in the log and not called again."""

    def __init__(self, observers: Sequence[SweepObserver] = ()) -> None:
        self._observers = list(observers)

    def started(self, runs: Sequence[PlannedRun], n_jobs: int) -> None:
        self._call(lambda observer: observer.started(runs, n_jobs))

    def expected(self, count: int) -> None:
        self._call(lambda observer: observer.expected(count))

    def added(self, run: PlannedRun) -> None:
        self._call(lambda observer: observer.added(run))

    def moved(self, run: PlannedRun) -> None:
        self._call(lambda observer: observer.moved(run))

    def queued(self, run: PlannedRun, attempts: int) -> None:
        self._call(lambda observer: observer.queued(run, attempts))

    def attempt_started(self, run: PlannedRun, attempt: int) -> None:
        self._call(lambda observer: observer.attempt_started(run, attempt))

    def attempt_ended(self, run: PlannedRun, state: State, reason: str | None) -> None:
        self._call(lambda observer: observer.attempt_ended(run, state, reason))

    def held(self, reason: str | None) -> None:
        self._call(lambda observer: observer.held(reason))

    def outlook(self, text: str) -> None:
        self._call(lambda observer: observer.outlook(text))

    def tick(self) -> None:
        self._call(lambda observer: observer.tick())

    def ended(self, outcome: SweepOutcome) -> None:
        self._call(lambda observer: observer.ended(outcome))

    def _call(self, hook: Callable[[SweepObserver], None]) -> None:
        for observer in list(self._observers):
            try:
                hook(observer)
            except Exception:
                log.exception("%s failed; the sweep goes on without it", type(observer).__name__)
                self._observers.remove(observer)
