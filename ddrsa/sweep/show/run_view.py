"""View of a run from outside: its status.json, read again when it has changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State, is_lost
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.presentation import Presentation


@dataclass
class RunView:
    """A run as the display shows it.

    name: what sets it apart from the others of the sweep.
    kind: runs of one kind take about as long as each other.
    optional: whether its failure is no failure of the sweep.
    since: when this attempt started (seconds since 1970), None before. A status file older than that is not of it.
    until: when it ended.
    first: the first epoch of this attempt that was seen, and when.
    """

    name: str
    directory: Path
    kind: str = ""
    state: State = State.PENDING
    attempt: int = 0
    reason: str | None = None
    since: float | None = None
    until: float | None = None
    changed: float = 0.0
    status: dict[str, Any] = field(default_factory=dict)
    first: tuple[int, float] | None = None
    optional: bool = False

    def start(self, attempt: int) -> None:
        """An attempt starts now; what an earlier one wrote counts no more."""
        self.state, self.attempt, self.reason = State.RUNNING, attempt, None
        self.since, self.until = time.time(), None
        self.changed, self.status, self.first = 0.0, {}, None

    def end(self, state: State, reason: str | None) -> None:
        """An attempt ended."""
        self.refresh()
        self.state, self.reason, self.until = state, reason, time.time()

    def refresh(self) -> bool:
        """Read the status file if it has changed, and say whether it had. A damaged file says nothing new."""
        directory = RunDirectory(self.directory)
        try:
            changed = directory.status.stat().st_mtime
            if changed == self.changed or (self.since is not None and changed < self.since - 0.1):
                return False
            status = directory.read_status() or {}
        except (OSError, ValueError):
            return False
        if status.get("attempt") != self.status.get("attempt"):
            self.first = None
        self.changed, self.status = changed, status
        if self.epoch and self.first is None:
            self.first = (self.epoch, changed)
        return True

    def follow(self) -> bool:
        """As `refresh`, and take state, attempt and reason from the file: for a run that another process supervises."""
        if not self.refresh():
            return False
        self.state = State.of(self.status)
        self.attempt = int(self.status.get("attempt") or 0)
        self.reason = self.status.get("error")
        return True

    @property
    def started(self) -> float | None:
        """The time at which this attempt started."""
        return self.since if self.since is not None else timestamp(self.status.get("started_at"))

    @property
    def seconds(self) -> float | None:
        """Seconds that this attempt has taken, until it ended."""
        if self.started is None:
            return None
        until = self.until or timestamp(self.status.get("ended_at")) or time.time()
        return max(until - self.started, 0.0)

    @property
    def is_lost(self) -> bool:
        """Whether the file says that it runs, and its process is gone."""
        return self.state is State.RUNNING and is_lost(self.directory, self.status)

    @property
    def epoch(self) -> int:
        """The last epoch that ended, 0 before the first."""
        return int(self.status.get("epoch") or 0)

    @property
    def num_epochs(self) -> int | None:
        """The most epochs that the run will do, where it says so."""
        number = self.status.get("num_epochs")
        return None if number is None else int(number)

    def seconds_per_epoch(self) -> float | None:
        """Seconds per epoch in this attempt; None before its first epoch has ended."""
        started = self.started
        if self.first is None or started is None:
            return None
        first_epoch, first_seen = self.first
        if self.epoch > first_epoch:
            return (self.changed - first_seen) / (self.epoch - first_epoch)
        # A later attempt goes on from a checkpoint: how many epochs it did before it was seen is not known.
        done = self.epoch if self.attempt <= 1 else 1
        return max(self.changed - started, 0.0) / done


def run_seconds(directory: Path) -> float | None:
    """Seconds that an ended run took, all its attempts where its metrics say so; None where nothing says so."""
    run = RunDirectory(directory)
    try:
        status, metrics = run.read_status() or {}, run.read_test_metrics() or {}
    except ValueError:
        return None
    started, ended = timestamp(status.get("started_at")), timestamp(status.get("ended_at"))
    known = [] if started is None or ended is None else [ended - started]
    if isinstance(training := metrics.get("training_time_seconds"), int | float):
        known.append(float(training))
    return max(known, default=None)


def timestamp(text: Any) -> float | None:
    """The seconds since 1970 of a time as `ddrsa.rundir.directory.now` writes it; None where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


def view_of(run: PlannedRun, shown: Presentation) -> RunView:
    """The view of a planned run, named by its swept values, or by its directory where it has none."""
    name = shown.short_name(f"{key}={value}" for key, value in run.values.items())
    return RunView(name or run.directory.name, run.directory, shown.kind_of(run.config))


def shown_counts(runs: Sequence[RunView]) -> str:
    """Counts by state: 3 completed, 1 failed, 2 running."""
    counted = Counter(run.state for run in runs)
    under_way = (State.LOST, State.RUNNING, State.PENDING)
    order = [*(state for state in State if state not in under_way), *under_way]
    return ", ".join(f"{counted[state]} {state.words}" for state in order if counted[state])
