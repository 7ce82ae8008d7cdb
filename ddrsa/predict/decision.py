"""The policy that decides, and its threshold."""

from __future__ import annotations

from dataclasses import dataclass

from ddrsa.errors import ConfigError, DataError
from ddrsa.predict.options import PredictOptions
from ddrsa.trained import TrainedRun


@dataclass(frozen=True)
class Decision:
    """A policy with its threshold (of oti the cost), and where that comes from, in words."""

    policy: str
    threshold: float
    window: int | None
    source: str


def find_decision(run: TrainedRun, options: PredictOptions) -> Decision:
    """The policy of `options`, with the threshold given there or the one tuned on the run's validation units."""
    given = options.cost if options.policy == "oti" else options.threshold
    key = "cost" if options.policy == "oti" else "threshold"
    if given is not None:
        window = options.window
        if options.policy == "failure_probability" and not 1 <= (window or 0) <= run.config.horizon:
            wrong = "is missing" if window is None else f"is {window}"
            raise ConfigError(f"window {wrong}: allowed is 1 to {run.config.horizon} cycles, the horizon of the model")
        return Decision(options.policy, given, window, "as given")
    try:
        metrics = run.directory.read_test_metrics()
        policy = metrics["validation"]["policies"][options.policy] if metrics is not None else None
        tuned = policy["tuned"][options.miss_rate] if policy is not None else None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{run.directory.test_metrics} has no tuned {key}: {error!r}; give {key}=...") from error
    if policy is None or tuned is None:
        missing = "does not exist" if policy is None else f"has no {key} that misses {options.miss_rate} or less"
        raise ConfigError(f"{key} is missing, and {run.directory.test_metrics} {missing}: give {key}=...")
    source = f"tuned to miss no more than {options.miss_rate} of the validation units"
    return Decision(options.policy, tuned["threshold"], policy.get("window"), source)
