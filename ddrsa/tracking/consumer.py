"""What the process that follows a sweep does for a tracker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ddrsa.errors import ConfigError
from ddrsa.follow.look import SeenRun, SweepLook
from ddrsa.follow.secrets import without_secrets
from ddrsa.tracking.base import Tracker
from ddrsa.tracking.ledger import BusyError, opened
from ddrsa.tracking.mirror import Mirror
from ddrsa.tracking.trackers import TrackerOptions


class TrackerError(Exception):
    """A tracker could not be told; the message has no secrets."""


class TrackingConsumer:
    """Tells a tracker what it sees."""

    def __init__(self, directory: Path, options: TrackerOptions, say: Callable[[str], None]) -> None:
        self.name = options.name
        self._directory, self._options, self._say = directory, options, say
        self._stack = ExitStack()
        self._tracker: Tracker | None = None
        self._mirror: Mirror | None = None

    def see(self, look: SweepLook, runs: Sequence[SeenRun], *, ended: bool) -> None:
        """Tell what is new. Raises TrackerError."""
        try:
            mirror = self._open()
        except BusyError:
            return  # the other process sees these runs too
        except Exception as error:
            raise self._error(error) from None
        try:
            mirror.tell(look, runs, ended=ended)
            if ended:
                self.close()
        except Exception as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Send what is waiting, and let another process tell the tracker."""
        tracker, self._tracker, self._mirror = self._tracker, None, None
        with self._stack:
            if tracker is not None:
                tracker.close()

    def _open(self) -> Mirror:
        if self._mirror is None:
            tracker = self._tracker = self._tracker or self._options.make(self._directory)
            ledger = self._stack.enter_context(opened(self._directory, self.name, tracker.place))
            ledger.options = self._options.given
            self._mirror = Mirror(tracker, ledger, self._options.mirror, self._tell_user)
        return self._mirror

    def _tell_user(self, text: str) -> None:
        self._say(f"{self.name}: {without_secrets(text)}" if text else "")

    def _error(self, error: Exception) -> Exception:
        if isinstance(error, ConfigError):
            return error
        text = " ".join(without_secrets(error).split()) or type(error).__name__
        shown = text if len(text) <= 300 else f"{text[:297]}..."
        return TrackerError(f"{self.name} cannot be told of the runs, it is tried again: {shown}")


def make(directory: Path, options: dict[str, Any], say: Callable[[str], None]) -> TrackingConsumer:
    """For `ddrsa.follow.process`. options: `tracker`, its name, and `given`, its options."""
    return TrackingConsumer(directory, TrackerOptions.of(options["tracker"], options["given"]), say)
