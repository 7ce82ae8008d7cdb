"""A sweep under way: runs are given to it, all at once or one after the other, and their ends come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from hydra.core.utils import JobReturn
from rich.console import Console

from ddrsa.rundir.room import with_room
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.supervise.events import Observers, Outcome, SweepOutcome
from ddrsa.sweep.supervise.record import SweepRecord
from ddrsa.sweep.supervise.supervisor import Supervisor


@dataclass(frozen=True)
class SearchNotes:
    """What a session has to know of the search whose trials are its runs.

    manifest: for experiment_manifest.json.
    print_best: prints the best trials, where the summary of a sweep has its best runs.
    """

    manifest: dict[str, Any]
    print_best: Callable[[Console], None]


class SweepSession:
    """The runs of one call of the launcher: supervised, recorded and shown. Made by a `SessionLauncher`."""

    def __init__(
        self,
        supervisor: Supervisor,
        record: SweepRecord,
        observers: Observers,
        most_runs: int,
        search: SearchNotes | None,
    ) -> None:
        self.supervisor = supervisor
        self._record = record
        self._observers = observers
        self._search = search
        self._began = time.monotonic()
        self._runs: dict[int, PlannedRun] = {}
        self._outcomes: dict[int, Outcome] = {}
        if search is not None:
            observers.started([], supervisor.n_jobs)
            observers.expected(most_runs)

    def submit(self, runs: Sequence[PlannedRun]) -> None:
        """Record the runs, show and queue them, and start what there is room for.

        In a search it is called for each run; otherwise once. Raises OSError: what is not recorded cannot start.
        """
        try:
            with_room(lambda: self._record.plan(runs), self._record.directory, self._is_wanted)
        except OSError:
            if self._is_wanted():
                raise
            return  # what is not recorded does not start
        self._runs.update((run.number, run) for run in runs)
        if self._search is None:
            self._observers.started(runs, self.supervisor.n_jobs)
        else:
            for run in runs:
                self._observers.added(run)
        self.supervisor.submit(runs)

    def _is_wanted(self) -> bool:
        return not self.supervisor.is_interrupted

    def wait(self) -> tuple[PlannedRun, Outcome] | None:
        """The next run to end, and how; None when nothing more will end."""
        self._record.write()
        ended = self.supervisor.wait()
        if ended is not None:
            run, outcome = ended
            self._record.result(run, outcome)
            ended = run, replace(outcome, settled=None)  # of thousands of runs it would fill memory
            self._runs[run.number], self._outcomes[run.number] = ended  # it may have moved
        return ended

    def end(self) -> None:
        """Show the summary; called when nothing more will be submitted."""
        results = [(run, self._outcomes.get(run.number, self.supervisor.not_started)) for run in self._runs.values()]
        directory, seconds = self._record.directory, time.monotonic() - self._began
        print_best = None if self._search is None else self._search.print_best
        interrupted = self.supervisor.is_interrupted
        outcome = SweepOutcome(directory, results, interrupted, seconds, print_best, self._record.metrics_of)
        self._observers.ended(outcome)


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
