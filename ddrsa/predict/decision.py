"""The policy that decides, and its threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ddrsa.errors import ConfigError, DataError
from ddrsa.predict.options import PredictOptions
from ddrsa.time_scale import TimeScale, time_scale
from ddrsa.trained import TrainedRun

_USUAL_MISS_RATE = "5%"


@dataclass(frozen=True)
class Decision:
    """A policy with its threshold (of oti the cost), in steps, and where that comes from, in words.

    window: of failure_probability, in steps. lead_time: the steps that an intervention must leave before the failure.
    """

    policy: str
    threshold: float
    window: int | None
    source: str
    lead_time: int = 1

    def told(self, scale: TimeScale) -> str:
        """The policy in words: 'oti, cost 40 steps (10 days), as given'."""
        key = "cost" if self.policy == "oti" else "threshold"
        if self.policy == "failure_probability":
            assert self.window is not None
            number = f"{self.threshold:.4g} within {scale.text(self.window)}"
        elif scale.has_dates:
            number = scale.text(self.threshold)
        else:
            number = f"{self.threshold:.4g}"
        return f"{self.policy}, {key} {number}, {self.source}"


def find_decision(run: TrainedRun, options: PredictOptions) -> Decision:
    """The policy of `options` with the threshold given there, or else the one that the run was tuned to.

    Raises ConfigError for a threshold that makes no sense, or where none is given and the run has none.
    """
    scale, lead_time = time_scale(run), run.config.policy.lead_time
    given = options.cost if options.policy == "oti" else options.threshold
    key = "cost" if options.policy == "oti" else "threshold"
    if given is None:
        return _tuned(run, options, key, lead_time)
    if options.policy != "failure_probability":
        return Decision(options.policy, _steps(scale, key, given), None, "as given", lead_time)
    horizon = run.config.horizon
    if options.window is None:
        raise ConfigError(f"window is missing: allowed is a time up to {scale.text(horizon)}, the horizon of the model")
    window = math.ceil(_steps(scale, "window", options.window) - 1e-9)
    if window > horizon:
        raise ConfigError(f"window={options.window}: allowed is a time up to {scale.text(horizon)}, the horizon")
    return Decision(options.policy, _probability(given), window, "as given", lead_time)


def _steps(scale: TimeScale, key: str, value: Any) -> float:
    """A number is one of steps, as in training; anything else a duration."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < math.inf:
            raise ConfigError(f"{key}={value}: allowed is a finite number of steps above 0{_or_duration(scale)}")
        return float(value)
    if not scale.has_dates:
        raise ConfigError(f"{key}={value}: allowed is a finite number of steps above 0")
    return scale.steps(key, value)


def _or_duration(scale: TimeScale) -> str:
    return ", or a duration such as 7d" if scale.has_dates else ""


def _probability(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 < value <= 1):
        hint = f" ({value:g} % is {value / 100:g})" if is_number and 1 < value <= 100 else ""
        raise ConfigError(f"threshold={value}: allowed is a probability, above 0 and up to 1{hint}")
    return float(value)


def _tuned(run: TrainedRun, options: PredictOptions, key: str, lead_time: int) -> Decision:
    """The threshold that keeps the run's promise, or is cheapest by its costs, or misses few validation units."""
    path, policy = run.directory.test_metrics, options.policy
    miss_rate = options.miss_rate or _USUAL_MISS_RATE
    try:
        metrics = run.directory.read_test_metrics()
        if metrics is None:
            raise ConfigError(f"{key} is missing, and {path} does not exist: give {key}=...")
        of_policy = metrics["policies"][policy]
        window = of_policy.get("window")
        if options.miss_rate is None:
            promise = of_policy.get("promise")
            if promise is not None and promise["threshold"] is not None:
                kept = f"no more than {promise['miss_rate']:.3g} of all units, confidence {promise['confidence']:.3g}"
                source = f"promised to miss {kept}"
                return Decision(policy, promise["threshold"], window, source, lead_time)
            cheapest = ((metrics.get("costs") or {}).get("tuned") or {}).get(policy)
            if cheapest is not None and cheapest["threshold"] is not None:
                source = "the cheapest by policy.costs on the validation units"
                return Decision(policy, cheapest["threshold"], window, source, lead_time)
        tuned = metrics["validation"]["policies"][policy]["tuned"][miss_rate]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} has no tuned {key}: {error!r}; give {key}=...") from error
    if tuned is None:
        raise ConfigError(f"{key} is missing, and {path} has no {key} that misses {miss_rate} or less: give {key}=...")
    source = f"tuned to miss no more than {miss_rate} of the validation units"
    return Decision(policy, tuned["threshold"], window, source, lead_time)
