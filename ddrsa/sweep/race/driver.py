"""Driver of a race: runs start as others end, and each end is a look at the standings."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.race.config import RaceSweeperConf
from ddrsa.sweep.race.race import Entry, Race
from ddrsa.sweep.race.record import RaceRecord
from ddrsa.sweep.search.objective import trial_values
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.failures import FailedRun, SweepInterrupted, SweepUnfinished
from ddrsa.sweep.supervise.session import SearchNotes, SessionLauncher, SweepSession

log = logging.getLogger(__name__)


@dataclass
class RaceRuns:
    """The runs of a race. plan: makes the run of a configuration's repeat, or raises where it cannot be.

    failures: of this start.
    """

    race: Race
    record: RaceRecord
    options: RaceSweeperConf
    plan: Callable[[Entry], PlannedRun]
    failures: list[FailedRun] = field(default_factory=list)
    started: int = 0

    def drive(self, launcher: SessionLauncher) -> str | None:
        """Do the runs until it is known which configuration is best, or nothing more can be done.

        Returns why it stopped before, None where it did not. Raises SweepInterrupted after a signal.
        """
        race = self.race
        most = race.count * race.rules.most if race.max_runs is None else race.max_runs
        notes = SearchNotes(self.record.manifest(), self.record.print)
        with launcher.session(most, n_jobs=self.options.n_jobs, search=notes) as session:
            under_way: dict[str, Entry] = {}  # by the identity of their run
            while True:
                self._fill(session, under_way)
                self.record.look(self.started)
                ended = session.wait()
                if ended is None:
                    break
                run, outcome = ended
                self._ended(under_way.pop(run.identity), run, outcome)
        if session.supervisor.is_interrupted:
            raise SweepInterrupted(most, int(race.ended - len(race.failures)))
        if session.supervisor.out_of_time is not None and not self.failures:
            raise SweepUnfinished(session.supervisor.out_of_time, most, int(race.ended - len(race.failures)))
        return session.supervisor.stopping

    def _fill(self, session: SweepSession, under_way: dict[str, Entry]) -> None:
        supervisor = session.supervisor
        while len(under_way) < supervisor.n_jobs and not supervisor.stopping and not supervisor.is_interrupted:
            wanted = self.race.wanted(set(under_way.values()), self.started, 1)
            if not wanted:
                return
            (entry,) = wanted
            self.started += 1
            run = self.plan(entry)
            self.record.planned(entry, run)
            under_way[run.identity] = entry
            session.submit([run])

    def _ended(self, entry: Entry, run: PlannedRun, outcome: Outcome) -> None:
        if outcome.state in (State.INTERRUPTED, State.PENDING):
            return
        if outcome.state is State.COMPLETED:
            try:
                self.race.record(entry, _score(self.options, run, outcome))
            except ValueError as unusable:
                outcome = Outcome(State.FAILED, str(unusable), error=unusable)
            else:
                return
        reason = outcome.reason or str(outcome.state)
        log.warning("%s has no score: %s", " ".join(f"{key}={value}" for key, value in run.values.items()), reason)
        self.race.fail(entry, reason)
        shown = tuple(f"{key}={value}" for key, value in run.values.items())
        self.failures.append(FailedRun(str(run.directory), shown, outcome.error or RuntimeError(reason)))


def _score(options: RaceSweeperConf, run: PlannedRun, outcome: Outcome) -> float:
    """Raises ValueError where the run has none, or one that is not finite."""
    (score,) = trial_values(options.objective, 1, outcome.value, run.directory, options.objective_group)
    if not math.isfinite(score):
        raise ValueError(f"{options.objective or 'the returned value'} is {score}")
    return score
