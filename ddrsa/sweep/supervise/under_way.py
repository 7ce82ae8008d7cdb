"""The attempts under way: when each begins, how long it may take, and how it is ended before its time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ddrsa.rundir.reasons import kernel_memory_kills
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import AttemptSpec
from ddrsa.sweep.process.attempt_server import AttemptServer
from ddrsa.sweep.supervise.deadlines import Deadlines
from ddrsa.sweep.supervise.events import SweepObserver
from ddrsa.sweep.supervise.run_state import AttemptUnderWay, SupervisedRun, read_status

# Between SIGTERM, which a task may use to tidy up, and SIGKILL.
GRACE_SECONDS = 3.0


class AttemptsUnderWay:
    """The attempts that a server does now, by their numbers.

    timeout: seconds for all attempts at a run, None for no limit, where the run has none of its own.
    """

    def __init__(self, server: AttemptServer, observer: SweepObserver, timeout: float | None) -> None:
        self._server = server
        self._observer = observer
        self._deadlines = Deadlines(timeout, server.waiting)
        self._attempts: dict[int, AttemptUnderWay] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def __iter__(self) -> Iterator[int]:
        return iter(self._attempts)

    def run(self, number: int) -> PlannedRun:
        """The run that an attempt is at."""
        return self._attempts[number].supervised.run

    def is_of_attempt(self, number: int, status: Mapping[str, Any]) -> bool:
        """Whether a status.json of its run was written by this attempt, and not by one before."""
        return status.get("state") == State.RUNNING and status.get("attempt") != self._attempts[number].before

    def start(self, supervised: SupervisedRun, spec: AttemptSpec) -> int:
        """Start an attempt at a run that is claimed; returns its number."""
        before = read_status(supervised.run).get("attempt")
        number = self._server.start(spec)
        instant = time.monotonic()
        self._attempts[number] = AttemptUnderWay(supervised, instant, kernel_memory_kills(), before)
        self._deadlines.begin(number, supervised.run, instant)
        self.notice_begun()
        return number

    def notice_begun(self, *, at_once: bool = False) -> None:
        """Show the attempts that have begun: at once where there is no scheduler that queues them."""
        queued = self._server.queued(at_once=at_once)
        for number, active in self._attempts.items():
            if not active.has_begun and number not in queued:
                active.has_begun, active.began = True, time.monotonic()
                active.supervised.is_elsewhere = False
                self._observer.attempt_started(active.supervised.run, active.supervised.attempts)

    def withdraw_queued(self, reason: str) -> None:
        """End the attempts that a scheduler has not begun."""
        self.notice_begun(at_once=True)
        for number, active in self._attempts.items():
            if not active.has_begun:
                self.end(number, State.INTERRUPTED, reason)

    def end_all(self, state: State, reason: str) -> None:
        """End all, in this state and for this reason: SIGTERM, and SIGKILL by a later `end_due`."""
        for number in self._attempts:
            self.end(number, state, reason)

    def end_due(self, instant: float) -> None:
        """End those that have used up their time, and kill those that have not ended in time."""
        for number, reason in self._deadlines.overdue(instant):
            self.end(number, State.TIMED_OUT, reason)
        for number, active in self._attempts.items():
            if active.kill_at is not None and instant >= active.kill_at:
                self._server.kill(number, signal.SIGKILL)
                active.kill_at = instant + 1

    def pop(self, number: int) -> AttemptUnderWay:
        """The attempt, whose process has ended."""
        self._deadlines.end(number, time.monotonic())
        return self._attempts.pop(number)

    def end(self, number: int, state: State, reason: str) -> None:
        """End one, in this state and for this reason: SIGTERM, and SIGKILL by a later `end_due`."""
        active = self._attempts[number]
        if active.state is None:
            active.state, active.reason = state, reason
            active.kill_at = time.monotonic() + GRACE_SECONDS
            self._server.kill(number, signal.SIGTERM)
