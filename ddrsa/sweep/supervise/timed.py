"""A supervised sweep with a time limit: its runs are described to the `TimePlan`, and what that decides is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddrsa.rundir.asked import ask_to_end
from ddrsa.rundir.states import State, is_done_for
from ddrsa.sweep.early_end import ENDS_WHEN_ASKED
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.supervise.events import Outcome, SweepObserver
from ddrsa.sweep.supervise.run_state import SupervisedRun, read_status
from ddrsa.sweep.supervise.time_plan import Described, TimePlan
from ddrsa.sweep.supervise.under_way import AttemptsUnderWay
from ddrsa.sweep.time_limit import TimeLimit

log = logging.getLogger(__name__)

# Between two looks at the epochs of what is under way, and two predictions of the end of it all.
_LOOK_SECONDS = 1.0
_OUTLOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Timed:
    """What a supervisor has to know. limit: of the sweep. kind_of: runs of one kind take about as long.

    taken: the seconds of a run that is done, by its directory; None where nothing tells.
    """

    limit: TimeLimit
    kind_of: Callable[[PlannedRun], str]
    taken: Callable[[Path], float | None]


class TimedSweep:
    """Chooses the next run, asks runs to end, ends those that do not, and tells when all will have ended."""

    def __init__(self, timed: Timed, under_way: AttemptsUnderWay, observer: SweepObserver, *, search: bool) -> None:
        self.limit = timed.limit
        self.plan = TimePlan(timed.limit.left)
        self._timed = timed
        self._under_way = under_way
        self._observer = observer
        self._search = search
        self._described: dict[int, Described | None] = {}  # None: its result is there, or nearly so
        self._next_look = self._next_outlook = 0.0
        self._cut = self._left_out = 0  # runs that were ended before they were done, and that did not start

    @property
    def has_cost_runs(self) -> bool:
        """Whether runs were ended before they were done, or did not start."""
        return self._cut + self._left_out > 0

    def is_done(self, run: PlannedRun) -> bool:
        """Whether it had its result when it was submitted."""
        return self._described[run.number] is None

    def add(self, run: PlannedRun, status: dict[str, Any]) -> None:
        """A run is submitted. status: its status.json."""
        epoch, num_epochs = status.get("epoch"), status.get("num_epochs")
        done = 0.0
        if status.get(ENDS_WHEN_ASKED) and isinstance(epoch, int) and isinstance(num_epochs, int) and num_epochs > 0:
            done = min(epoch / num_epochs, 1.0)  # it goes on from its checkpoint
        described = Described(self._timed.kind_of(run), run.values, done)
        is_done = is_done_for(status, self._search)
        if is_done and (seconds := self._timed.taken(run.directory)) is not None:
            self.plan.known(described, seconds)
        self._described[run.number] = None if is_done else described

    def choose(self, ready: Sequence[SupervisedRun]) -> int | None:
        """The place of the next run among those that may start; None where none of them would be done in time."""
        for place, supervised in enumerate(ready):
            if self._described[supervised.run.number] is None:
                return place
        return self.plan.next([self._of(supervised) for supervised in ready])

    def _of(self, supervised: SupervisedRun) -> Described:
        return self._described[supervised.run.number] or Described("", {}, 1.0)

    def gives_up(self, ready: Sequence[SupervisedRun], *, all_there: bool) -> bool:
        """Whether none of these starts any more. all_there: no other run waits, so that it is known.

        In a grid what is under way may still tell that they take less than it seems; a search or a race stops asking.
        """
        if self.limit.left() <= 0:
            return True
        known = self._search or (all_there and not self._under_way)
        return known and bool(ready) and self.choose(ready) is None

    def leave(self, supervised: SupervisedRun) -> Outcome:
        """Of a run that is left for the next time; of one with a failed attempt, that there is no time for another."""
        self._left_out += 1
        if supervised.reasons:
            reason = f"{supervised.reasons[-1]} (no time for another attempt: {self.limit.text})"
            return Outcome(State.FAILED, reason, attempts=supervised.attempts)
        seconds = self.plan.seconds(self._of(supervised))
        left = self.limit.left()
        if left <= 0:
            return Outcome(State.PENDING, f"not started before {self.limit.text}")
        takes = "" if seconds is None else f"it takes about {_duration(seconds)}, and "
        return Outcome(State.PENDING, f"not started: {takes}{_duration(left)} are left until {self.limit.text}")

    def began(self, number: int, run: PlannedRun) -> None:
        """The attempt `number` at a run starts."""
        self.plan.began(number, self._described[run.number] or Described("", {}), time.monotonic())
        self._next_outlook = 0.0

    def ended(self, number: int, outcome: Outcome, *, first: bool) -> None:
        """The attempt `number` has ended. first: it was the run's first, here and before."""
        asked = self.plan.ended(number, time.monotonic(), whole=first and outcome.state.is_done)
        self._cut += asked and outcome.state is State.INTERRUPTED
        self._next_outlook = 0.0

    def look(self, waiting: Sequence[SupervisedRun], n_jobs: int) -> None:
        """Read the epochs of what is under way, ask and end what is due, and tell the outlook."""
        instant = time.monotonic()
        if instant < self._next_look:
            return
        self._next_look = instant + _LOOK_SECONDS
        statuses = {number: read_status(self._under_way.run(number)) for number in self._under_way}
        for number, status in statuses.items():
            if self._under_way.is_of_attempt(number, status) and isinstance(epoch := status.get("epoch"), int):
                self.plan.epoch(number, epoch, status.get("num_epochs"), instant)
        for number in self.plan.to_ask(instant):
            self._ask(number, statuses[number])
        cooperative = {number for number, status in statuses.items() if status.get(ENDS_WHEN_ASKED)}
        for number in self.plan.overdue(instant, cooperative.__contains__):
            self._end(number)
        if instant >= self._next_outlook:
            self._next_outlook = instant + _OUTLOOK_SECONDS
            self._tell(waiting, n_jobs, instant)

    def _ask(self, number: int, status: dict[str, Any]) -> None:
        run = self._under_way.run(number)
        attempt = status.get("attempt")
        if not self._under_way.is_of_attempt(number, status) or not isinstance(attempt, int):
            self.plan.ask_again(number)  # it has not begun yet
            return
        try:
            ask_to_end(run.directory, attempt, self.limit.text)
        except OSError as error:
            log.warning("run %d cannot be asked to end: %s", run.number, error)
            self.plan.ask_again(number)
            return
        if status.get(ENDS_WHEN_ASKED):
            log.info(
                "run %d is asked to end after its epoch: %s", run.number, self.limit.text, extra={"observed": True}
            )

    def _end(self, number: int) -> None:
        self.plan.end(number, time.monotonic())
        reason = f"{self.limit.text} came before it had ended"
        self._under_way.end(number, State.INTERRUPTED, reason)

    def _tell(self, waiting: Sequence[SupervisedRun], n_jobs: int, instant: float) -> None:
        described = [each for run in waiting if (each := self._described[run.run.number]) is not None]
        found = self.plan.outlook(described, n_jobs, instant)
        if found is None:
            self._observer.outlook(f"{self.limit.text}: when all ends is not known yet")
            return
        finish, left_out = found
        at = time.strftime("%H:%M:%S", time.localtime(time.time() + finish))
        rest = "" if not left_out else f"; {left_out} of the runs that wait will not have started"
        self._observer.outlook(f"{self.limit.text}: by the durations so far all ends at {at}{rest}")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
