"""A sweep under way: runs are given to it, all at once or one after the other, and their ends come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from hydra.core.utils import JobReturn
from rich.console import Console

from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.supervise.events import Observers, Outcome, SweepOutcome
from ddrsa.sweep.supervise.record import SweepRecord
from ddrsa.sweep.supervise.supervisor import Supervisor


@dataclass(frozen=True)
class SearchNotes:
    """What a session has to know of the search whose trials are its runs.

    manifest: for experiment_manifest.json. expected: how many trials this session does, at most.
    print_best: prints the best trials, where the summary of a sweep has its best runs.
    """

    manifest: dict[str, Any]
    expected: int
    print_best: Callable[[Console], None]


class SweepSession:
    """The runs of one call of the launcher: supervised, recorded and shown. Made by a `SessionLauncher`."""

    def __init__(
        self, supervisor: Supervisor, record: SweepRecord, observers: Observers, search: SearchNotes | None
    ) -> None:
        self._supervisor = supervisor
        self._record = record
        self._observers = observers
        self._search = search
        self._began = time.monotonic()
        self._runs: list[PlannedRun] = []
        self._outcomes: dict[int, Outcome] = {}
        if search is not None:
            observers.started([], supervisor.n_jobs)
            observers.expected(search.expected)

    def plan(self, runs: Sequence[PlannedRun]) -> None:
        """Record the runs and show them, before they are submitted. Raises OSError: what is not recorded cannot start.

        In a search it is called for each run; otherwise once.
        """
        self._record.plan(runs)
        self._runs.extend(runs)
        if self._search is None:
            self._observers.started(runs, self._supervisor.n_jobs)
        else:
            for run in runs:
                self._observers.added(run)

    def submit(self, run: PlannedRun) -> None:
        """Queue a run that is planned."""
        self._supervisor.submit(run)

    def start(self) -> None:
        """Start what is queued, as far as there is room, before anything else is done; `wait` does so too."""
        self._supervisor.start()

    def wait(self) -> tuple[PlannedRun, Outcome] | None:
        """The next run to end, and how; None when nothing more will end."""
        self._record.write()
        ended = self._supervisor.wait()
        if ended is not None:
            run, outcome = ended
            self._outcomes[run.number] = outcome
            self._record.result(run, outcome)
        return ended

    def stop(self, reason: str) -> None:
        """Start no new run; those under way finish."""
        self._supervisor.stop(reason)

    @property
    def n_jobs(self) -> int:
        """The most runs at once."""
        return self._supervisor.n_jobs

    @property
    def stopping(self) -> str | None:
        """Why no new run starts, None where they do."""
        return "the sweep was interrupted" if self.interrupted else self._supervisor.stopping

    @property
    def interrupted(self) -> bool:
        """Whether a signal has asked for the end of the sweep."""
        return bool(self._supervisor.signals)

    @property
    def failures_reached(self) -> bool:
        """Whether as many runs have failed as `max_failures` allows."""
        most = self._supervisor.max_failures
        return most is not None and self._supervisor.failures >= most

    @property
    def not_started(self) -> Outcome:
        """Of a run that has not been started, and will not be."""
        return Outcome(State.PENDING, self._supervisor.stopping)

    def end(self) -> None:
        """Show the summary; called when nothing more will be submitted."""
        results = [(run, self._outcomes.get(run.number, self.not_started)) for run in self._runs]
        directory, seconds = self._record.directory, time.monotonic() - self._began
        print_best = None if self._search is None else self._search.print_best
        self._observers.ended(SweepOutcome(directory, results, self.interrupted, seconds, print_best))


@runtime_checkable
class SessionLauncher(Protocol):
    """A launcher that takes runs as they were planned: all at once, or one by one in a session."""

    def launch_runs(self, runs: Sequence[PlannedRun]) -> Sequence[JobReturn]:
        """Do the runs; the results are in their order, and those that have completed before are among them.

        Raises SweepFailed where `max_failures` was reached and SweepInterrupted after a signal; the results of the
        runs that have ended are on disk.
        """

    def session(
        self,
        most_runs: int,
        *,
        n_jobs: int | None = None,
        search: SearchNotes | None = None,
        preload: Sequence[str] = (),
    ) -> AbstractContextManager[SweepSession]:
        """In this block runs can be given to the session, now or as others end; their files and display come with it.

        most_runs: no more will be. n_jobs: fewer at once than the launcher's own, None for as many. search: where the
        runs are the trials of a search. preload: modules that the runs need besides the launcher's own.
        """
