"""The loop that starts the attempts of a sweep's runs, watches them, and decides what follows from how they end."""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import make_directory, refuse_links, remove_leftovers
from ddrsa.rundir.reasons import kernel_memory_kills, reason_of_exception, reason_of_exit
from ddrsa.rundir.room import has_room, says_full
from ddrsa.rundir.states import State, is_done_for
from ddrsa.sweep.plan.placement import owner_of, place_beside
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import AttemptSpec
from ddrsa.sweep.process.attempt_server import AttemptServer, Ended
from ddrsa.sweep.supervise.deadlines import Deadlines
from ddrsa.sweep.supervise.disk import DiskWait, pause_of
from ddrsa.sweep.supervise.events import Outcome, SweepObserver
from ddrsa.sweep.supervise.queue import RunQueue
from ddrsa.sweep.supervise.retries import RetryPolicy
from ddrsa.sweep.supervise.run_state import AttemptUnderWay, SupervisedRun, UnwrittenStates, read_status

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
# Between SIGTERM, which a task may use to tidy up, and SIGKILL.
GRACE_SECONDS = 3.0
# Files of a run that are opened by name in the course of it.
_WRITTEN = ("run.log", "output.log", ".hydra", *(f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")))


class Supervisor:
    """Does the runs that it is given, `n_jobs` at a time, each attempt in a process of its own.

    Use: `submit` runs at any time, and `wait` for the next result until it returns None.

    n_jobs: the most runs at once.
    retries: how many attempts a run that failed or was killed gets after the first.
    timeout: seconds for all attempts at a run, None for no limit, where the run has none of its own. Then it and its
        children are killed.
    max_failures: no new run starts when so many have failed; None for no limit.
    signals: those that this process gets, appended as they come. One SIGINT is `stop`; any other, or two, `end_all`.
    root: the directory of the sweep, beneath which no link is followed.
    search: the runs are trials of a search, for which one that a search has pruned is done.
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
    ) -> None:
        self.n_jobs = n_jobs
        self.peak_memory = 0
        self._server = server
        self._observer = observer
        self._signals = signals
        self._search = search
        self._root = root
        self._queue = RunQueue(server.look_seconds)
        self._deadlines = Deadlines(timeout, server.waiting)
        self._retries = RetryPolicy(retries, max_failures)
        self._unwritten = UnwrittenStates(server)
        self._disk = DiskWait()
        self._held: str | None = None  # why nothing starts, as it is shown
        self._active: dict[int, AttemptUnderWay] = {}
        self._results: deque[tuple[PlannedRun, Outcome]] = deque()
        self._stopping: str | None = None
        self._ending: tuple[State, str] | None = None  # the state and the reason of what is under way

    def submit(self, runs: Sequence[PlannedRun]) -> None:
        """Queue runs, and start what there is room for."""
        for run in runs:
            self._queue.add(SupervisedRun(run, before=read_status(run).get("attempt")))
        self._obey_signals()
        self._start_queued()

    def wait(self) -> tuple[PlannedRun, Outcome] | None:
        """The next run to end, and how; None when nothing more will end."""
        while not self._results:
            if not self._active and (self._stopping or not (self._queue or self._disk)) and self._is_settled():
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
        directory = self._unwritten.place
        if has_room(directory):
            return True
        self._disk.begin(directory, time.monotonic())
        return False

    def stop(self, reason: str) -> None:
        """Start no new run and no new attempt; what is under way finishes, what a scheduler has queued is withdrawn."""
        if self._stopping:
            return
        self._stopping = reason
        self._notice_begun(at_once=True)
        for number, active in self._active.items():
            if not active.has_begun:
                self._end(number, active, State.INTERRUPTED, reason)

    def end_all(self, state: State, reason: str) -> None:
        """Stop, and end what is under way, at once: SIGTERM, and SIGKILL after a few seconds."""
        self.stop(reason)
        self._ending = self._ending or (state, reason)

    @property
    def stopping(self) -> str | None:
        """Why no new run starts, None where they do."""
        return self._stopping or ("the sweep was interrupted" if self.is_interrupted else None)

    @property
    def is_interrupted(self) -> bool:
        """Whether a signal has asked for the end of the sweep."""
        return bool(self._signals)

    @property
    def has_too_many_failures(self) -> bool:
        """Whether as many runs have failed as `max_failures` allows."""
        return self._retries.too_many_failures is not None

    @property
    def not_started(self) -> Outcome:
        """Of a run that has not been started, and will not be."""
        return Outcome(State.PENDING, self.stopping)

    def _step(self) -> None:
        self._obey_signals()
        self._start_queued()
        if not self._results:
            for ended in self._wait_for_processes():
                self._attempt_ended(ended)
            # Before anything else is done about those that have ended: a core may be idle.
            self._start_queued()
        self._notice_begun()
        self._end_what_is_due()
        self._unwritten.write()
        self._look_for_room()
        self._observer.tick()

    def _obey_signals(self) -> None:
        signals = list(self._signals)
        if signals and self._ending is None and (len(signals) > 1 or signals[0] != signal.SIGINT):
            name = signal.Signals(signals[-1]).name
            log.warning("%s: the runs under way are ended now", name)
            self.end_all(State.INTERRUPTED, f"the sweep was ended by {name}")
        elif signals and not self._stopping:
            message = "interrupted: no new run starts, %d under way finish; Ctrl+C again ends them at once"
            log.warning(message, len(self._active))
            self.stop("the sweep was interrupted")

    def _wait_for_processes(self) -> list[Ended]:
        if self._active:
            return self._server.events(TICK_SECONDS)
        time.sleep(TICK_SECONDS)
        return []

    # A full disk.

    def _wait_for_room(self, supervised: SupervisedRun) -> bool:
        """Keep a run that failed because the disk is full; False where that is no use."""
        if self._stopping or not self._disk.add(supervised, time.monotonic()):
            return False
        self._say_held()
        return True

    def _look_for_room(self) -> None:
        instant = time.monotonic()
        if self._disk.look(instant):
            log.warning("the disk has room again: the sweep goes on", extra={"observed": True})
            for supervised in self._disk.take():
                self._queue.set_aside(supervised, instant, pause_of(supervised))
        elif self._disk.is_over(instant) and not self._stopping:
            self._give_up_waiting(str(self._disk.reason))
            self.stop("the disk stayed full")
        self._say_held()

    def _give_up_waiting(self, why: str) -> None:
        for supervised in self._disk.take():
            self._finish(supervised, Outcome(State.FAILED, f"{supervised.reasons[-1]} ({why})"))

    def _say_held(self) -> None:
        """Show why nothing starts, when that changes."""
        reason = None if self._stopping else self._disk.reason
        if reason != self._held:
            self._held = reason
            if reason is not None:
                log.warning("%s", reason, extra={"observed": True})
            self._observer.held(reason)

    # How an attempt starts.

    def _start_queued(self) -> None:
        while len(self._active) < self.n_jobs and not self._stopping and self._disk.reason is None:
            supervised = self._queue.next(time.monotonic())
            if supervised is None or not self._start(supervised):
                break

    def _start(self, supervised: SupervisedRun) -> bool:
        """Start an attempt, if the run needs one; False where the server cannot do any yet."""
        try:
            if not self._claim(supervised):
                return True
        except OSError as error:
            supervised.reasons.append(reason_of_exception(error))
            if not says_full(error) or not self._wait_for_room(supervised):
                self._finish(supervised, Outcome(State.FAILED, supervised.reasons[-1], error=error))
            return True
        if not self._server.is_ready(TICK_SECONDS):  # it imports; signals are obeyed meanwhile
            self._queue.put_back(supervised)
            return False
        run = supervised.run
        supervised.attempts += 1
        self._unwritten.another_attempt(run)
        attempts, environ = self._retries.attempts_of(supervised), self._retries.environment_of(supervised)
        given = (run.directory, run.identity, run.composed, supervised.attempts, attempts, str(Path.cwd()), environ)
        before = read_status(run).get("attempt")
        number = self._server.start(AttemptSpec(*given))
        instant = time.monotonic()
        self._active[number] = AttemptUnderWay(supervised, instant, kernel_memory_kills(), before)
        self._deadlines.begin(number, run, instant)
        log.debug("run %d: attempt %d starts", run.number, supervised.attempts)
        self._notice_begun()
        return True

    def _notice_begun(self, *, at_once: bool = False) -> None:
        """Show the attempts that have begun: at once where there is no scheduler that queues them."""
        queued = self._server.queued(at_once=at_once)
        for number, active in self._active.items():
            if not active.has_begun and number not in queued:
                active.has_begun, active.began = True, time.monotonic()
                active.supervised.is_elsewhere = False
                self._observer.attempt_started(active.supervised.run, active.supervised.attempts)

    def _claim(self, supervised: SupervisedRun) -> bool:
        """Claim the run for an attempt; False where it needs none, or not now."""
        if supervised.is_claimed:
            return True
        self._move_from_others(supervised)
        if self._settled(supervised):
            return False
        make_directory(supervised.run.directory, self._root or supervised.run.directory)
        refuse_links(supervised.run.directory, _WRITTEN)
        if not self._server.claim(supervised.run.directory):
            self._leave_alone(supervised)
            return False
        supervised.is_claimed = True
        if self._is_of_another(supervised.run):  # taken and let go by another sweep between the two looks
            self._release(supervised)
            return self._claim(supervised)
        # Another launcher may have ended the run after the first look; under Hydra's own, a task may claim none.
        return not self._settled(supervised)

    def _is_of_another(self, run: PlannedRun) -> bool:
        return owner_of(run.directory) not in (None, run.identity)

    def _move_from_others(self, supervised: SupervisedRun) -> None:
        """Where another sweep in the same place has taken the directory since the plan, the run gets one beside it."""
        run = supervised.run
        owners = {}
        while self._is_of_another(supervised.run):
            owners[supervised.run.directory] = str(owner_of(supervised.run.directory))
            place = place_beside(run.directory, run.identity, owners)
            if place in owners:
                raise FileExistsError(f"{run.directory} and those beside it hold other runs")
            supervised.run = replace(run, directory=place)
        if supervised.run is not run:
            log.warning(
                "%s holds another run by now: run %d goes to %s", run.directory, run.number, supervised.run.directory
            )
            self._observer.moved(supervised.run)

    def _release(self, supervised: SupervisedRun) -> None:
        if supervised.is_claimed:
            self._server.release(supervised.run.directory)
            supervised.is_claimed = False

    def _leave_alone(self, supervised: SupervisedRun) -> None:
        if not supervised.is_elsewhere:
            run = supervised.run
            log.info("run %d is being done by another process: left alone, %s", run.number, run.directory)
            supervised.is_elsewhere = True
        self._queue.set_aside(supervised, time.monotonic())

    def _settled(self, supervised: SupervisedRun) -> bool:
        """Whether the run has its result already, from before or from another launcher since this one started."""
        status = read_status(supervised.run)
        failed = supervised.attempts == 0 and status.get("state") in (State.FAILED, State.TIMED_OUT)
        by_another = failed and status.get("attempt") != supervised.before
        is_done = is_done_for(status, self._search)
        if is_done and not RunDirectory(supervised.run.directory).has_its_result(status):
            message = (
                "%s: test_metrics.json is damaged or missing, the run starts again to write it from its checkpoint"
            )
            if supervised.is_claimed:  # this is looked at twice, and said once
                log.warning(message, supervised.run.directory)
            is_done = False
        if not is_done and not by_another:
            return False
        remove_leftovers(supervised.run.directory, owned=False)  # nobody will claim it again
        self._finish(supervised, Outcome(State.of(status), status.get("error"), status.get("return_value")))
        return True

    # How an attempt ends.

    def _end(self, number: int, active: AttemptUnderWay, state: State, reason: str) -> None:
        if active.state is None:
            active.state, active.reason = state, reason
            active.kill_at = time.monotonic() + GRACE_SECONDS
            self._server.kill(number, signal.SIGTERM)

    def _end_what_is_due(self) -> None:
        instant = time.monotonic()
        if self._ending is not None:
            for number, active in self._active.items():
                self._end(number, active, *self._ending)
        for number, reason in self._deadlines.overdue(instant):
            self._end(number, self._active[number], State.TIMED_OUT, reason)
        for number, active in self._active.items():
            if active.kill_at is not None and instant >= active.kill_at:
                self._server.kill(number, signal.SIGKILL)
                active.kill_at = instant + 1

    def _attempt_ended(self, ended: Ended) -> None:
        active = self._active.pop(ended.number)
        self._deadlines.end(ended.number, time.monotonic())
        self.peak_memory = max(self.peak_memory, ended.peak_memory)
        supervised, run = active.supervised, active.supervised.run
        if ended.report is not None and ended.report.elsewhere:
            supervised.attempts -= 1
            self._release(supervised)
            self._leave_alone(supervised)
            return
        if not active.has_begun and active.state is None:  # between two looks at the queue of a scheduler
            self._observer.attempt_started(run, supervised.attempts)
        outcome = self._outcome(active, ended)
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
        if self._retries.tries_again(supervised, outcome) and not self._stopping:
            self._observer.attempt_ended(run, outcome.state, outcome.reason)
            self._queue.add(supervised)
            return
        self._finish(supervised, outcome)

    def _outcome(self, active: AttemptUnderWay, ended: Ended) -> Outcome:
        report = ended.report
        known: dict[str, Any] = {"attempts": active.supervised.attempts, "seconds": time.monotonic() - active.began}
        if report is not None and (active.state is None or report.state.is_done):
            fields, text = report.unwritten or ({}, "")
            if report.unwritten or not report.state.is_done:
                text = text or ("" if report.state.is_done else f"the attempt ended: {report.reason}")
                self._unwritten.add(active, {"state": report.state, "error": report.reason, **fields}, text)
            return Outcome(report.state, report.reason, report.value, error=report.error, **known)
        if active.state is not None:
            state, reason = active.state, active.reason
            if active.supervised.reasons:  # of a retry that was ended, why there was one
                reason = f"{reason}; its first attempt failed: {active.supervised.reasons[0]}"
        else:
            state = State.KILLED if ended.exit_code < 0 else State.FAILED
            reason = reason_of_exit(ended.exit_code, kernel_memory_kills() > active.memory_kills)
        self._unwritten.add(active, {"state": state, "error": reason}, f"the attempt ended: {reason}")
        return Outcome(state, reason, **known)

    def _finish(self, supervised: SupervisedRun, outcome: Outcome) -> None:
        self._release(supervised)
        self._observer.attempt_ended(supervised.run, outcome.state, outcome.reason)
        self._results.append((supervised.run, outcome))
        self._retries.count(supervised.run, outcome)
        if (reason := self._retries.too_many_failures) is not None:
            self.stop(reason)
