"""A server of attempts that a test ends by hand, and runs for it."""

from __future__ import annotations

import signal
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import AttemptSpec, Report
from ddrsa.sweep.process.attempt_server import Ended


def planned(directory: Path, number: int = 0, **options: Any) -> PlannedRun:
    return PlannedRun(number, (f"x={number}",), directory / f"x{number}", f"run{number}", {}, **options)


class AttemptsInMemory:
    """An `AttemptServer` that has done an attempt as soon as it is looked at, if it is in `reports` by then."""

    look_seconds = 0.0

    def __init__(self) -> None:
        self.specs: dict[int, AttemptSpec] = {}
        self.reports: dict[int, Report] = {}
        self.in_queue: set[int] = set()
        self.killed: list[int] = []
        self.claimed: list[Path] = []
        self.elsewhere: list[Path] = []

    def warm_up(self) -> None:
        """Nothing to prepare."""

    def is_ready(self, timeout: float) -> bool:  # noqa: ARG002
        return True

    def claim(self, directory: Path) -> bool:
        if directory in self.elsewhere:
            return False
        self.claimed.append(directory)
        return True

    def release(self, directory: Path) -> None:
        self.claimed.remove(directory)

    def start(self, spec: AttemptSpec) -> int:
        number = len(self.specs) + 1
        self.specs[number] = spec
        return number

    def kill(self, number: int, signal_number: signal.Signals) -> None:
        self.killed.append(number)
        self.reports[number] = Report(State.KILLED, f"killed by {signal_number.name}")

    def events(self, timeout: float) -> list[Ended]:  # noqa: ARG002
        ended = [Ended(number, 0, self.reports[number], 0) for number in sorted(self.reports)]
        self.reports.clear()
        return ended

    def queued(self, *, at_once: bool = False) -> Collection[int]:  # noqa: ARG002
        return self.in_queue

    def waiting(self) -> Collection[int]:
        return self.in_queue

    def wrote(self, status: dict[str, Any]) -> bool:  # noqa: ARG002
        return False

    def close(self) -> None:
        """Nothing is left."""
