"""The loop that starts the attempts of a sweep's runs, watches them, and decides what follows from how they end."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ddrsa.rundir.reasons import reason_of_exception
from ddrsa.rundir.room import says_full
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import AttemptSpec
from ddrsa.sweep.process.attempt_server import AttemptServer, Ended
from ddrsa.sweep.supervise.attempt_end import outcome_of
from ddrsa.sweep.supervise.claiming import RunClaims
from ddrsa.sweep.supervise.disk import DiskWait, pause_of
from ddrsa.sweep.supervise.ending import SweepEnd
from ddrsa.sweep.supervise.events import Outcome, SweepObserver
from ddrsa.sweep.supervise.queue import RunQueue
from ddrsa.sweep.supervise.retries import RetryPolicy
from ddrsa.sweep.supervise.run_state import SupervisedRun, UnwrittenStates, read_status
from ddrsa.sweep.supervise.timed import Timed, TimedSweep
from ddrsa.sweep.supervise.under_way import AttemptsUnderWay

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25


class Supervisor:
    """Does the runs that it is given, `n_jobs` at a time, each attempt in a process of its own.

    Use: `submit` runs at any time, and `wait` for the next result until it returns None.

    n_jobs: the most runs at once.
    retries: how many attempts a run that failed or was killed gets after the first.
    timeout: seconds for all attempts at a run, None for no limit, where the run has none of its own. Then it and its
        children are killed.
    max_failures: no new run starts when so many have failed; None for no limit.
    signals: those that this process gets, appended as they come; see `SweepEnd`.
    root: the directory of the sweep, beneath which no link is followed.
    search: the runs are trials of a search, for which one that a search has pruned is done.
    timed: of a sweep with a time limit.
    """

    def __init__(
        self,
        server: AttemptServer,
        observer: SweepObserver,
        *,
        n_jobs: int,
        retries: int = 0,
        timeout: float | None = None,
        max_failures: int | None = None,
        signals: Sequence[int] = (),
        search: bool = False,
        root: Path | None = None,
        timed: Timed | None = None,
    ) -> None:
        self.n_jobs = n_jobs
        self.peak_memory = 0
        self._server = server
        self._observer = observer
        self._queue = RunQueue(server.look_seconds)
        self._under_way = AttemptsUnderWay(server, observer, timeout)
        self._end = SweepEnd(self._under_way, signals)
        self._claims = RunClaims(server, observer, root, search=search)
        self._retries = RetryPolicy(retries, max_failures)
        self._unwritten = UnwrittenStates(server)
        self._disk = DiskWait(observer)
        self._results: deque[tuple[PlannedRun, Outcome]] = deque()
        self._timed = None if timed is None else TimedSweep(timed, self._under_way, observer, search=search)

    def submit(self, runs: Sequence[PlannedRun]) -> None:
        """Queue runs, but those that have their result already, and start what there is room for."""
        for run in runs:
            status = read_status(run)
            supervised = SupervisedRun(run, before=status.get("attempt"))
            settled = self._claims.settled(supervised, status)
            if settled is None:
                self._observer.queued(run, supervised.before or 0)
                self._queue.add(supervised)
            else:
                self._finish(supervised, settled)
            if self._timed is not None:
                self._timed.add(run, status)
        self._end.obey_signals()
        self._start_queued()

    def wait(self) -> tuple[PlannedRun, Outcome] | None:
        """The next run to end, and how; None when nothing more will end."""
        while not self._results:
            if not self._under_way and (self._end or not (self._queue or self._disk)) and self._is_settled():
                return None
            self._step()
        return self._results.popleft()

    def _is_settled(self) -> bool:
        """Whether nothing is left to be written, for which there may be room in a while."""
        if self._disk:
            self._give_up_waiting("no room was waited for")
            return False
        self._unwritten.write()
        if not self._unwritten or self.is_interrupted or self._disk.is_over(time.monotonic()):
            return True
        return not self._disk.begin_if_full(self._unwritten.place, time.monotonic())

    def stop(self, reason: str) -> None:
        """Start no new run and no new attempt; what is under way finishes, what a scheduler has queued is withdrawn."""
        self._end.stop(reason)

    @property
    def stopping(self) -> str | None:
        """Why no new run starts, None where they do."""
        return self._end.reason

    @property
    def is_interrupted(self) -> bool:
        """Whether a signal has asked for the end of the sweep."""
        return self._end.is_interrupted

    @property
    def has_too_many_failures(self) -> bool:
        """Whether as many runs have failed as `max_failures` allows."""
        return self._retries.too_many_failures is not None

    @property
    def not_started(self) -> Outcome:
        """Of a run that has not been started, and will not be."""
        return Outcome(State.PENDING, self.stopping)

    def _step(self) -> None:
        self._end.obey_signals()
        self._start_queued()
        if not self._results:
            for ended in self._wait_for_processes():
                self._attempt_ended(ended)
            # Before anything else is done about those that have ended: a core may be idle.
            self._start_queued()
        self._under_way.notice_begun()
        self._end.end_attempts()
        self._under_way.end_due(time.monotonic())
        if self._timed is not None:
            self._timed.look(self._queue.ready(time.monotonic()), self.n_jobs)
        self._unwritten.write()
        self._look_for_room()
        self._observer.tick()

    def _wait_for_processes(self) -> list[Ended]:
        if self._under_way:
            return self._server.events(TICK_SECONDS)
        time.sleep(TICK_SECONDS)
        return []

    # A full disk.

    def _wait_for_room(self, supervised: SupervisedRun) -> bool:
        """Keep a run that failed because the disk is full; False where that is no use."""
        if self._end or not self._disk.add(supervised, time.monotonic()):
            return False
        self._disk.show()
        return True

    def _look_for_room(self) -> None:
        instant = time.monotonic()
        if self._disk.look(instant):
            for supervised in self._disk.take():
                self._queue.set_aside(supervised, instant, pause_of(supervised))
        elif self._disk.is_over(instant) and not self._end:
            self._give_up_waiting(str(self._disk.reason))
            self.stop("the disk stayed full")
        self._disk.show(stopped=bool(self._end))

    def _give_up_waiting(self, why: str) -> None:
        for supervised in self._disk.take():
            self._finish(supervised, Outcome(State.FAILED, f"{supervised.reasons[-1]} ({why})"))

    # How an attempt starts.

    def _start_queued(self) -> None:
        while len(self._under_way) < self.n_jobs and not self._end and self._disk.reason is None:
            supervised = self._queue.next(time.monotonic(), None if self._timed is None else self._timed.choose)
            if supervised is None or not self._start(supervised):
                break
        if self._timed is not None and not self._end:
            self._leave_for_later(self._timed)

    def _leave_for_later(self, timed: TimedSweep) -> None:
        """Start nothing more where nothing would be done in time, and say so of each run."""
        ready = self._queue.ready(time.monotonic())
        if not self._queue or not timed.gives_up(ready, all_there=len(ready) == len(self._queue) and not self._disk):
            return
        for supervised in self._queue.take_all():
            settled = self._claims.take(supervised) if timed.is_done(supervised.run) else None
            self._finish(supervised, settled or timed.leave(supervised))
        self.stop(f"{timed.limit.text}: what is left would not be done in time")

    @property
    def out_of_time(self) -> str | None:
        """The time limit, in words, where it has kept runs from starting or ended some."""
        return self._timed.limit.text if self._timed is not None and self._timed.has_cost_runs else None

    def _start(self, supervised: SupervisedRun) -> bool:
        """Start an attempt, if the run needs one; False where the server cannot do any yet."""
        try:
            settled = self._claims.take(supervised)
        except OSError as error:
            supervised.reasons.append(reason_of_exception(error))
            if not says_full(error) or not self._wait_for_room(supervised):
                self._finish(supervised, Outcome(State.FAILED, supervised.reasons[-1], error=error))
            return True
        if settled is not None:
            self._finish(supervised, settled)
            return True
        if not supervised.is_claimed:
            self._leave_alone(supervised)
            return True
        if not self._server.is_ready(TICK_SECONDS):  # it imports; signals are obeyed meanwhile
            self._queue.put_back(supervised)
            return False
        run = supervised.run
        supervised.attempts += 1
        self._unwritten.another_attempt(run)
        attempts, environ = self._retries.attempts_of(supervised), self._retries.environment_of(supervised)
        given = (run.directory, run.identity, run.composed, supervised.attempts, attempts, str(Path.cwd()), environ)
        log.debug("run %d: attempt %d starts", run.number, supervised.attempts)
        number = self._under_way.start(supervised, AttemptSpec(*given))
        if self._timed is not None:
            self._timed.began(number, run)
        return True

    def _leave_alone(self, supervised: SupervisedRun) -> None:
        if not supervised.is_elsewhere:
            run = supervised.run
            log.info("run %d is being done by another process: left alone, %s", run.number, run.directory)
            supervised.is_elsewhere = True
        self._queue.set_aside(supervised, time.monotonic())

    # How an attempt ends.

    def _attempt_ended(self, ended: Ended) -> None:
        active = self._under_way.pop(ended.number)
        self.peak_memory = max(self.peak_memory, ended.peak_memory)
        supervised, run = active.supervised, active.supervised.run
        if ended.report is not None and ended.report.elsewhere:
            if self._timed is not None:
                self._timed.ended(ended.number, self.not_started, first=False)
            supervised.attempts -= 1
            self._claims.release(supervised)
            self._leave_alone(supervised)
            return
        if not active.has_begun and active.state is None:  # between two looks at the queue of a scheduler
            self._observer.attempt_started(run, supervised.attempts)
        outcome = outcome_of(active, ended, self._unwritten)
        if self._timed is not None:
            self._timed.ended(ended.number, outcome, first=supervised.attempts == 1 and supervised.before is None)
        if outcome.state in (State.FAILED, State.KILLED):
            supervised.reasons.append(outcome.reason or outcome.state)
            shared_gpu = ended.report is not None and ended.report.shared_gpu
            self._retries.learn(supervised, outcome, shared_gpu, read_status(run).get("gpu_index"))
            # The observers show it as well, so it need not stand on the terminal twice.
            values = (run.number, supervised.attempts, outcome.reason, run.directory)
            log.warning("run %d, attempt %d: %s (%s)", *values, extra={"observed": True})
        if ended.report is not None and ended.report.disk_full and self._wait_for_room(supervised):
            supervised.attempts -= 1  # it was no fault of the run
            self._observer.attempt_ended(run, outcome.state, outcome.reason)
            return
        if self._retries.tries_again(supervised, outcome) and not self._end:
            self._observer.attempt_ended(run, outcome.state, outcome.reason)
            self._queue.add(supervised)
            return
        self._finish(supervised, outcome)

    def _finish(self, supervised: SupervisedRun, outcome: Outcome) -> None:
        self._claims.release(supervised)
        self._observer.attempt_ended(supervised.run, outcome.state, outcome.reason)
        self._results.append((supervised.run, outcome))
        self._retries.count(supervised.run, outcome)
        if (reason := self._retries.too_many_failures) is not None:
            self.stop(reason)
