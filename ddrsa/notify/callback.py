"""Hydra's callback that sends messages about a sweep: `notify=[env]`, and `+hydra/notify=env` in any app."""

from __future__ import annotations

import logging
import time
from typing import Any, ClassVar

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from ddrsa.errors import ConfigError
from ddrsa.follow.callback import Begun, SweepCallback, plain
from ddrsa.follow.companion import Companion
from ddrsa.notify.addresses import open_addresses, variables
from ddrsa.overrides import task_overrides
from ddrsa.sweep.plan.grid import grid

log = logging.getLogger(__name__)

# At the end of a sweep its command waits so long for the last message.
END_SECONDS = 15.0


class NotifySweep(SweepCallback):
    """Follows the sweep with a process that sends messages."""

    key: ClassVar[str] = "notify"
    order: ClassVar[int] = 30  # after the report, of which it tells

    def __init__(self, notify: Any = None) -> None:
        """notify: `env`, or names of variables of the environment; null or [] for no messages."""
        self._given = plain(notify)
        self._companion: Companion | None = None

    @property
    def wanted(self) -> bool:
        """Whether there are addresses."""
        return bool(self._given)

    def prepare(self, begun: Begun) -> None:
        """Start the process. Raises ConfigError where an address is missing, or is none."""
        names = variables(self._given)
        open_addresses(names)
        options = {"variables": names, "expected": _expected(begun.config), "began": time.time()}
        self._companion = Companion("ddrsa.notify.consumer.make", "notify", begun, options)

    def finish(self) -> None:
        """Wait for the last message, but not long."""
        companion, self._companion = self._companion, None
        if companion is None:
            return
        try:
            companion.tell_end()
            if not companion.wait(time.monotonic() + END_SECONDS):
                log.warning("notify: the last message could not be sent")
        finally:
            companion.kill()


def _expected(config: DictConfig) -> int | None:
    """The number of jobs of the sweep, where its sweeper is one that can be told; the manifest tells more."""
    trials = config.hydra.sweeper.get("n_trials")
    if isinstance(trials, int) and trials > 0:
        return trials
    if not str(config.hydra.sweeper.get("_target_")).endswith("BasicSweeper"):
        return None
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    try:
        parsed = OverridesParser.create().parse_overrides([*params, *task_overrides(config)])
        return len(grid(parsed))
    except (HydraException, ConfigError):
        return None
