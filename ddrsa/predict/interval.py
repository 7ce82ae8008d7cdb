"""The interval of the RUL that is asked for, as a central interval of the forecast."""

from __future__ import annotations

import logging
import math

from ddrsa.errors import ConfigError, DataError
from ddrsa.survival.conformal import Conformal
from ddrsa.texts import count_of
from ddrsa.trained import TrainedRun

log = logging.getLogger(__name__)


def interval_level(run: TrainedRun, level: float, interval: str) -> float:
    """The level of the central interval of the forecasts: `level` itself, or with interval=conformal the one by which
    that share of the units that the run kept for it was held.

    Raises ConfigError where the run has no conformal intervals, or too few units for this level; DataError where its
    metrics cannot be read.
    """
    if interval == "model":
        return level
    path = run.directory.test_metrics
    try:
        metrics = run.directory.read_test_metrics()
        found = None if metrics is None else metrics.get("conformal")
        conformal = None if found is None else Conformal.from_dict(found)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} has no conformal intervals that can be read: {error!r}") from error
    if conformal is None:
        missing = "does not exist" if metrics is None else "has no conformal intervals"
        raise ConfigError(f"interval=conformal: {path} {missing}; interval=model needs none")
    widened = conformal.level(level)
    if widened >= 1:
        needed = math.ceil(level / (1 - level) - 1e-9)
        raise ConfigError(
            f"interval=conformal: {count_of(conformal.num_units, f'{conformal.units} unit')} of the run: too few for "
            f"level={level:g}, or the forecasts of them too far off: {needed} or more are needed; a lower level needs "
            "fewer, interval=model none"
        )
    if conformal.caveat is not None:
        log.warning("interval=conformal: %s", conformal.caveat)
    return widened
