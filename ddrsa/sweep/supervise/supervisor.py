"""The loop that starts the attempts of a sweep's runs, watches them, and decides what follows from how they end."""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddrsa.errors import ConfigError, UsageError
from ddrsa.rundir.claims import Claim
from ddrsa.rundir.files import now
from ddrsa.rundir.reasons import OUT_OF_GPU_MEMORY, kernel_memory_kills, reason_of_exception, reason_of_exit
from ddrsa.rundir.states import State, is_alive, is_done_for
from ddrsa.sweep.gpu.lease import AVOID_VARIABLE, WHOLE_VARIABLE, processes_that_wait
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import Job
from ddrsa.sweep.process.fork_client import AttemptServer, Ended
from ddrsa.sweep.supervise.events import Observers, Outcome
from ddrsa.sweep.supervise.run_state import AttemptUnderWay, SupervisedRun, UnwrittenStates, read_status

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
# Between SIGTERM, which a task may use to tidy up, and SIGKILL.
GRACE_SECONDS = 3.0
# How often to look whether another process has finished with a run, and who waits for a GPU.
LOOK_SECONDS = 1.0


class Supervisor:
    """Does the runs that it is given, `n_jobs` at a time, each attempt in a process of its own.

    Use: `submit` runs at any time, and `wait` for the next result until it returns None.

    n_jobs: the most runs at once.
    retries: how many attempts a run that failed or was killed gets after the first.
    timeout: seconds for all attempts at a run, None for no limit, where the run has none of its own. Then it and its
        children are killed.
    max_failures: no new run starts when so many have failed; None for no limit.
    signals: those that this process gets, appended as they come. One SIGINT is `stop`; any other, or two, `end_all`.
    search: the runs are trials of a search, for which one that a search has pruned is done.
    """

    look_seconds = LOOK_SECONDS

    def __init__(
        self,
        server: AttemptServer,
        observers: Observers,
        *,
        n_jobs: int,
        retries: int = 0,
        timeout: float | None = None,
        max_failures: int | None = None,
        signals: Sequence[int] = (),
        search: bool = False,
    ) -> None:
        self.server = server
        self.observers = observers
        self.n_jobs = n_jobs
        self.retries = retries
        self.timeout = timeout
        self.max_failures = max_failures
        self.signals = signals
        self.search = search
        self.failures = 0
        self.stopping: str | None = None  # why no new run starts
        self._ending: tuple[State, str] | None = None  # the state and the reason of what is under way
        self.peak_memory = 0
        self._since = now()
        self._pending: deque[SupervisedRun] = deque()
        self._elsewhere: list[SupervisedRun] = []
        self._next_look = 0.0
        self._active: dict[int, AttemptUnderWay] = {}
        self._results: deque[tuple[PlannedRun, Outcome]] = deque()
        self._unwritten = UnwrittenStates(self._is_ours_to_write)
        self._looked_at_waiting = time.monotonic()

    def submit(self, run: PlannedRun) -> None:
        """Queue a run."""
        self._pending.append(SupervisedRun(run, timeout=self.timeout if run.timeout is None else 60 * run.timeout))

    def start(self) -> None:
        """Start what is queued, as far as there is room; `wait` does so too."""
        self._start_pending()

    def wait(self) -> tuple[PlannedRun, Outcome] | None:
        """The next run to end, and how; None when nothing more will end."""
        while not self._results:
            waiting = not self.stopping and (self._pending or self._elsewhere)
            if not self._active and not waiting:
                self._unwritten.write()
                return None
            self._step()
        return self._results.popleft()

    def stop(self, reason: str) -> None:
        """Start no new run and no new attempt; those under way finish."""
        self.stopping = self.stopping or reason

    def end_all(self, state: State, reason: str) -> None:
        """Stop, and end what is under way, at once: SIGTERM, and SIGKILL after a few seconds."""
        self.stop(reason)
        self._ending = self._ending or (state, reason)

    def _step(self) -> None:
        self._obey_signals()
        self._start_pending()
        if self._elsewhere and time.monotonic() >= self._next_look:
            self._pending.extend(self._elsewhere)
            self._elsewhere.clear()
            self._next_look = time.monotonic() + self.look_seconds
        if not self._results:
            for ended in self._wait_for_processes():
                self._attempt_ended(ended)
            # Before anything else is done about those that have ended: a core may be idle.
            self._start_pending()
        self._enforce_deadlines()
        self._unwritten.write()
        self.observers.tick()

    def _start_pending(self) -> None:
        while self._pending and len(self._active) < self.n_jobs and not self.stopping:
            self._start(self._pending.popleft())

    def _obey_signals(self) -> None:
        signals = list(self.signals)
        if signals and self._ending is None and (len(signals) > 1 or signals[0] != signal.SIGINT):
            name = signal.Signals(signals[-1]).name
            log.warning("%s: the runs under way are ended now", name)
            self.end_all(State.INTERRUPTED, f"the sweep was ended by {name}")
        elif signals and not self.stopping:
            message = "interrupted: no new run starts, %d under way finish; Ctrl+C again ends them at once"
            log.warning(message, len(self._active))
            self.stop("the sweep was interrupted")

    def _wait_for_processes(self) -> list[Ended]:
        if self._active:
            return self.server.events(TICK_SECONDS)
        time.sleep(TICK_SECONDS)
        return []

    # How an attempt starts.

    def _start(self, task: SupervisedRun) -> None:
        run = task.run
        try:
            if task.claim is None and not self._take(task):
                return
        except OSError as error:
            self._finish(task, Outcome(State.FAILED, reason_of_exception(error), error=error))
            return
        task.attempts += 1
        task.began = task.began or time.monotonic()
        environ = {AVOID_VARIABLE: ",".join(map(str, task.gpus_to_avoid))}
        if task.whole_gpu:
            environ[WHOLE_VARIABLE] = "1"
        job = Job(
            run.directory,
            run.identity,
            run.composed,
            task.attempts,
            self._attempts_of(task),
            str(Path.cwd()),
            environ,
        )
        number = self.server.start(job, task.claim)
        self._active[number] = AttemptUnderWay(task, time.monotonic(), kernel_memory_kills())
        log.debug("run %d: attempt %d starts", run.number, task.attempts)
        self._say_started(task)

    def _say_started(self, task: SupervisedRun) -> None:
        self.observers.attempt_started(task.run, task.attempts)

    def _attempts_of(self, task: SupervisedRun) -> int:
        """The most that it gets. What it could not have had beside others is no failure of its own."""
        return self.retries + 1 + task.whole_gpu

    def _take(self, task: SupervisedRun) -> bool:
        """Claim the run for this launcher; False where it needs no attempt, or not now."""
        run = task.run
        if self._settled(task):
            return False
        run.directory.mkdir(parents=True, exist_ok=True)
        claim = Claim.take(run.directory)
        if claim is None:
            self._leave_alone(task)
            return False
        # Another launcher may have ended the run after the first look; under Hydra's own, a task may claim none.
        if self._settled(task):
            claim.release()
            return False
        status = read_status(run)
        if status.get("state") == State.RUNNING and is_alive(status):
            claim.release()
            self._leave_alone(task)
            return False
        task.claim, task.is_elsewhere = claim, False
        return True

    def _leave_alone(self, task: SupervisedRun) -> None:
        if not task.is_elsewhere:
            log.info("run %d is being done by another process: left alone, %s", task.run.number, task.run.directory)
            task.is_elsewhere = True
        self._elsewhere.append(task)
        self._next_look = self._next_look or time.monotonic() + self.look_seconds

    def _settled(self, task: SupervisedRun) -> bool:
        """Whether the run has its result already, from before or from another launcher since this one started."""
        status = read_status(task.run)
        state = status.get("state")
        # Times are in whole seconds: what failed in the second in which this launcher started is tried again.
        others = state in (State.FAILED, State.TIMED_OUT) and (status.get("ended_at") or "") > self._since
        if not is_done_for(status, self.search) and not others:
            return False
        self._finish(task, Outcome(State.of(status), status.get("error"), status.get("return_value")))
        return True

    # How an attempt ends.

    def _end(self, number: int, active: AttemptUnderWay, state: State, reason: str) -> None:
        if active.state is None:
            active.state, active.reason = state, reason
            active.kill_at = time.monotonic() + GRACE_SECONDS
            self.server.kill(number, signal.SIGTERM)

    def _enforce_deadlines(self) -> None:
        if any(active.task.timeout is not None for active in self._active.values()):
            self._stop_the_clock_of_those_that_wait()
        instant = time.monotonic()
        for number, active in self._active.items():
            if self._ending is not None:
                self._end(number, active, *self._ending)
            timeout = active.task.timeout
            if timeout is not None and instant >= active.task.began + active.task.waited + timeout:
                self._end(number, active, State.TIMED_OUT, f"it took longer than timeout={timeout / 60:g} minutes")
            if active.kill_at is not None and instant >= active.kill_at:
                self.server.kill(number, signal.SIGKILL)
                active.kill_at = instant + 1

    def _stop_the_clock_of_those_that_wait(self) -> None:
        """A run that has no GPU yet does not use up its time."""
        instant = time.monotonic()
        if instant < self._looked_at_waiting + LOOK_SECONDS:
            return
        since, self._looked_at_waiting = self._looked_at_waiting, instant
        for number in self._waiting():
            active = self._active[number]
            active.task.waited += instant - max(since, active.began)

    def _waiting(self) -> list[int]:
        """The attempts under way that have no GPU yet."""
        try:
            waiting = processes_that_wait()
        except (ConfigError, OSError) as error:  # nobody can lease there, so nobody waits
            log.debug("who waits for a GPU cannot be known: %s", error)
            return []
        return [number for number in self._active if self.server.pid(number) in waiting]

    def _attempt_ended(self, ended: Ended) -> None:
        active = self._active.pop(ended.number)
        task, run = active.task, active.task.run
        self.peak_memory = max(self.peak_memory, ended.peak_memory)
        if task.claim is not None and task.claim.is_lost():
            task.claim.release()
            task.claim = None
            self._leave_alone(task)
            return
        outcome = self._outcome(active, ended)
        if outcome.state in (State.FAILED, State.KILLED):
            gpu_index = read_status(run).get("gpu_index")
            if ended.report is not None and ended.report.shared_gpu and _ran_out_of_gpu_memory(outcome):
                task.whole_gpu = True
            elif isinstance(gpu_index, int):
                task.gpus_to_avoid.append(gpu_index)
            # The observers show it as well, so it need not stand on the terminal twice.
            values = (run.number, task.attempts, outcome.reason, run.directory)
            log.warning("run %d, attempt %d: %s (%s)", *values, extra={"observed": True})
            left = task.attempts < self._attempts_of(task)
            if left and not self.stopping and not isinstance(outcome.error, UsageError):
                self.observers.attempt_ended(run, outcome.state, outcome.reason)
                self._pending.append(task)
                return
        self._finish(task, outcome)

    def _outcome(self, active: AttemptUnderWay, ended: Ended) -> Outcome:
        report, task = ended.report, active.task
        known: dict[str, Any] = {"attempts": task.attempts, "seconds": time.monotonic() - active.began}
        if report is not None and (active.state is None or report.state.is_done):
            if not report.state.is_done:
                self._unwritten.add(task.run, report.state, report.reason)
            return Outcome(report.state, report.reason, report.value, error=report.error, **known)
        if active.state is not None:
            state, reason = active.state, active.reason
        else:
            state = State.KILLED if ended.exit_code < 0 else State.FAILED
            reason = reason_of_exit(ended.exit_code, kernel_memory_kills() > active.memory_kills)
        self._unwritten.add(task.run, state, reason)
        return Outcome(state, reason, **known)

    def _finish(self, task: SupervisedRun, outcome: Outcome) -> None:
        if task.claim is not None:
            task.claim.release()
            task.claim = None
        self.observers.attempt_ended(task.run, outcome.state, outcome.reason)
        self._results.append((task.run, outcome))
        if outcome.state.has_failed and not task.run.optional:
            self.failures += 1
            if self.max_failures is not None and self.failures >= self.max_failures:
                self.stop(f"{self.failures} runs have failed (max_failures={self.max_failures})")

    def _is_ours_to_write(self, status: dict[str, Any]) -> bool:
        """Whether nothing but the beginning of the attempt is in the `status` of its run."""
        return status.get("state") in (None, State.RUNNING)


def _ran_out_of_gpu_memory(outcome: Outcome) -> bool:
    return outcome.reason is not None and outcome.reason.startswith(OUT_OF_GPU_MEMORY)
