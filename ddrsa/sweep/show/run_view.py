"""View of a run from outside: its status.json, read again when it has changed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import fingerprint
from ddrsa.rundir.process_identity import boot_id, seconds_since_boot
from ddrsa.rundir.states import State, is_lost
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.presentation import Presentation


@dataclass
class RunView:
    """A run as the display shows it.

    name: what sets it apart from the others of the sweep.
    kind: runs of one kind take about as long as each other.
    optional: whether its failure is no failure of the sweep.
    since: when this attempt started here (of a monotonic clock), None before. until: when it ended.
    earlier: the attempts that status.json had then: with no more than those it is not of this one.
    changed: when status.json was written, by the clock of the file server. seen: when that was noticed here.
    first: the first epoch of this attempt that was seen, and when it was written.
    damage: why status.json cannot be read now. read: what tells the file that was read last from others.
    """

    name: str
    directory: Path
    kind: str = ""
    state: State = State.PENDING
    attempt: int = 0
    reason: str | None = None
    since: float | None = None
    until: float | None = None
    earlier: int = 0
    changed: float = 0.0
    seen: float = field(default_factory=time.monotonic)
    status: dict[str, Any] = field(default_factory=dict)
    first: tuple[int, float] | None = None
    optional: bool = False
    damage: str | None = None
    read: tuple[int, int, int] | None = None

    def start(self, attempt: int) -> None:
        """An attempt starts now; what an earlier one wrote counts no more."""
        self.state, self.attempt, self.reason = State.RUNNING, attempt, None
        self.since, self.until = time.monotonic(), None
        self.earlier = max(self.earlier, _attempt_of(self.status))
        self.status, self.first = {}, None

    def end(self, state: State, reason: str | None) -> None:
        """An attempt ended; without one, the run was found to be done."""
        if self.since is not None:
            self.refresh()
        self.state, self.reason, self.until = state, reason, time.monotonic()

    def forget(self) -> None:
        """Keep of status.json what is asked for in the end: those of thousands of ended runs would fill memory."""
        kept = ("return_value_left_out",)
        self.status = {"attempt": _attempt_of(self.status), **{k: self.status[k] for k in kept if k in self.status}}

    def refresh(self) -> bool:
        """Read the status file if it has changed, and say whether it had. A damaged file says nothing new."""
        directory = RunDirectory(self.directory)
        self.damage = None
        try:
            read = fingerprint(directory.status)
        except OSError:
            return False
        if read == self.read:
            return False
        try:
            status = directory.read_status() or {}
        except (OSError, ValueError) as error:
            self.damage = " ".join(str(error).split())
            return False
        if self.since is not None and _attempt_of(status) <= self.earlier:
            return False
        if status.get("attempt") != self.status.get("attempt"):
            self.first = None
        changed = read[-1] / 1e9
        self.read, self.changed, self.seen, self.status = read, changed, time.monotonic(), status
        if self.epoch and self.first is None:
            self.first = (self.epoch, changed)
        return True

    def follow(self) -> bool:
        """As `refresh`, and take state, attempt and reason from the file: for a run that another process supervises."""
        if not self.refresh():
            if self.damage is None or self.state is State.UNREADABLE:
                return False
            self.state, self.reason, self.seen = State.UNREADABLE, self.damage, time.monotonic()
            return True
        self.state = State.of(self.status)
        self.attempt = int(self.status.get("attempt") or 0)
        self.reason = self.status.get("error")
        return True

    @property
    def seconds(self) -> float | None:
        """Seconds that this attempt has taken, until it ended."""
        if self.since is not None and self.until is not None:
            # On a cluster an attempt is seen to begin a little later than it does, a short one when it has ended.
            return max(self.until - self.since, seconds_of(self.status) or 0.0)
        if self.since is not None:
            return time.monotonic() - self.since
        if (written := seconds_of(self.status)) is None or self.status.get("ended_at") is not None:
            return written
        # It goes on since its file was written: for how long, this machine's own runs say.
        if boot_id() is not None and self.status.get("boot_id") == boot_id() and "started_clock" in self.status:
            return seconds_since_boot() - float(self.status["started_clock"])
        return written + time.monotonic() - self.seen

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
        written = seconds_of(self.status)
        if self.first is None or written is None:
            return None
        first_epoch, first_seen = self.first
        if self.epoch > first_epoch:
            return (self.changed - first_seen) / (self.epoch - first_epoch)
        # A later attempt goes on from a checkpoint: how many epochs it did before it was seen is not known.
        done = self.epoch if self.attempt <= 1 else 1
        return written / done


def run_seconds(directory: Path) -> float | None:
    """Seconds that an ended run took, all its attempts where its metrics say so; None where nothing says so."""
    run = RunDirectory(directory)
    try:
        status, metrics = run.read_status() or {}, run.read_test_metrics() or {}
    except (OSError, ValueError):
        return None
    known = [] if status.get("ended_at") is None or (seconds := seconds_of(status)) is None else [seconds]
    if isinstance(training := metrics.get("training_time_seconds"), int | float):
        known.append(float(training))
    return max(known, default=None)


def seconds_of(status: Mapping[str, Any]) -> float | None:
    """Seconds from the start of the last attempt to its end, or else to the writing of its status.json."""
    if isinstance(seconds := status.get("seconds"), int | float):
        return float(seconds)
    # Not Linux. Both times are of the clock of its machine.
    started, ended = timestamp(status.get("started_at")), timestamp(status.get("ended_at") or status.get("updated_at"))
    return None if started is None or ended is None else max(ended - started, 0.0)


def _attempt_of(status: Mapping[str, Any]) -> int:
    attempt = status.get("attempt")
    return attempt if isinstance(attempt, int) else 0


def timestamp(text: Any) -> float | None:
    """The seconds since 1970 of a time as `ddrsa.rundir.directory.now` writes it; None where it is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


def view_of(run: PlannedRun, shown: Presentation) -> RunView:
    """The view of a planned run, named by its swept values, or by its directory where it has none; nothing is read."""
    name = shown.short_name(f"{key}={value}" for key, value in run.values.items())
    return RunView(name or run.directory.name, run.directory, shown.kind_of(run.config))


def shown_counts(runs: Sequence[RunView]) -> str:
    """Counts by state: 3 completed, 1 failed, 2 running."""
    counted = Counter(run.state for run in runs)
    under_way = (State.LOST, State.RUNNING, State.PENDING)
    order = [*(state for state in State if state not in under_way), *under_way]
    return ", ".join(f"{counted[state]} {state.words}" for state in order if counted[state])
