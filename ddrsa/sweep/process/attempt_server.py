"""The interface between a supervisor and the servers that do its attempts, on this machine or on others."""

from __future__ import annotations

import signal
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ddrsa.sweep.process.attempt import AttemptSpec, Report


@dataclass(frozen=True)
class Ended:
    """An attempt's process has ended, and its process group with it.

    exit_code: negative, the signal that killed it. report: None where the process could not give one.
    peak_memory: in bytes, of the process alone; 0 where it is not known.
    """

    number: int
    exit_code: int
    report: Report | None
    peak_memory: int


class AttemptServer(Protocol):
    """Does the attempts that a supervisor starts.

    look_seconds: how often to ask again for a run that another process has.
    """

    look_seconds: float

    def warm_up(self) -> None:
        """Prepare for the first `start`."""

    def is_ready(self, timeout: float) -> bool:
        """Whether `start` would not have to wait; waits for that, at most `timeout` seconds."""

    def claim(self, directory: Path) -> bool:
        """Keep the run in `directory` for attempts of this server, until `release`; False where another process has it.

        Raises ConfigError where the file system has no locks, and OSError where it cannot be written.
        """

    def release(self, directory: Path) -> None:
        """Let a run go that was claimed."""

    def start(self, spec: AttemptSpec) -> int:
        """Start an attempt at a run that is claimed; returns its number."""

    def kill(self, number: int, signal_number: signal.Signals) -> None:
        """Send a signal to an attempt and all its descendants."""

    def events(self, timeout: float) -> list[Ended]:
        """The attempts that have ended; waits for one, at most `timeout` seconds."""

    def queued(self, *, at_once: bool = False) -> Collection[int]:
        """The attempts that have not begun, as far as is known; `at_once`, it looks at each of them now."""

    def waiting(self) -> Collection[int]:
        """The attempts that have not all they need yet: a machine, or a GPU."""

    def wrote(self, status: dict[str, Any]) -> bool:
        """Whether a machine of this server may have put an end into a status.json without knowing the reason."""

    def close(self) -> None:
        """End all attempts."""
