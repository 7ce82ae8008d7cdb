"""Hydra's callback that has trackers told of a sweep: `tracking=mlflow`, and `+hydra/tracking=mlflow` in any app."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from ddrsa.errors import ConfigError
from ddrsa.follow.callback import Begun, SweepCallback, plain
from ddrsa.follow.companion import Companion
from ddrsa.started import COMMAND
from ddrsa.tracking.trackers import TrackerOptions

log = logging.getLogger(__name__)

# At the end of a sweep its command waits so long for the trackers while they take what they are told, and so long for
# one that gives no sign of that.
END_SECONDS = 60.0
SILENT_SECONDS = 20.0


class TrackSweep(SweepCallback):
    """Follows the sweep with a process for each tracker."""

    key: ClassVar[str] = "tracking"
    order: ClassVar[int] = 20

    def __init__(self, trackers: Mapping[str, Any] | None = None) -> None:
        """trackers: options by the names of trackers; null: none."""
        self._trackers = plain(trackers) or {}
        self._companions: list[Companion] = []
        self._begun: Begun | None = None

    @property
    def wanted(self) -> bool:
        """Whether there is a tracker."""
        return bool(self._trackers)

    def prepare(self, begun: Begun) -> None:
        """Start the processes. Raises ConfigError on a wrong option, and where an extra is missing."""
        if not isinstance(self._trackers, Mapping):
            raise ConfigError(
                f"tracking={self._trackers}: allowed are tensorboard, mlflow, wandb, or several in brackets"
            )
        options = [TrackerOptions.of(name, given) for name, given in self._trackers.items()]
        self._begun = begun
        for each in options:
            given = {"tracker": each.name, "given": each.given}
            self._companions.append(Companion("ddrsa.tracking.consumer.make", each.name, begun, given))

    def finish(self) -> None:
        """Wait until the trackers have been told, but not long."""
        companions, self._companions = self._companions, []
        try:
            for companion in companions:
                companion.tell_end()
            deadline = time.monotonic() + END_SECONDS
            for companion in companions:
                if not companion.wait(deadline, SILENT_SECONDS):
                    directory = None if self._begun is None else self._begun()
                    log.warning(
                        "%s has not been told all: %s export-tracking %s %s sends the rest",
                        companion.name, COMMAND, directory, companion.name,
                    )  # fmt: skip
        finally:
            for companion in companions:
                companion.kill()
