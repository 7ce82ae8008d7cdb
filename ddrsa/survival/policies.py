"""The policies on whole lives, as they stand in test_metrics.json: their trade-offs, promises and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.survival.costs import money
from ddrsa.survival.policy_intervals import policy_intervals
from ddrsa.survival.policy_options import PolicyOptions
from ddrsa.survival.promise import promise, promise_sentence
from ddrsa.survival.rivals import best_window, compare_policies, policy_trade_offs
from ddrsa.survival.trade_off import TradeOff

# The costs of a missed failure, in cycles of useful life, at which the policy is reported.
OTI_COSTS = (8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, eq=False)
class Lives:
    """Forecasts of every row of whole units that ran to failure.

    logits: (N, L). unit: (N,), a unit's rows in the order of time. time_to_event: (N,) in cycles.
    """

    logits: Tensor
    unit: Tensor
    time_to_event: Tensor

    @property
    def lives(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(U,) the units in ascending order, and the cycles of each from its first row to the failure, both counted."""
        units, counts = np.unique(self.unit.cpu().numpy(), return_counts=True)
        return units, counts.astype(np.float64)

    @property
    def mean_life(self) -> float:
        """The mean of `lives`; NaN without a unit."""
        _, cycles = self.lives
        return float(cycles.mean()) if len(cycles) else float("nan")

    def trade_offs(self, window: int, lead_time: int) -> dict[str, TradeOff]:
        """As `policy_trade_offs`."""
        return policy_trade_offs(self.logits, self.unit, self.time_to_event, window, lead_time)


def evaluate_policies(
    lives: Lives,
    options: PolicyOptions,
    tuned_on: Mapping[str, Any] | None = None,
    held_out: Lives | None = None,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """`oti`, `oti_at_miss_rate`, `policies` and, where `options` has costs, `costs`.

    Args:
        tuned_on: what this gave for the validation units; None to tune on `lives` themselves.
        held_out: units that trained nothing and chose no model, independent of each other, for the guarantee.
        weights: (B, U) how often each unit of `lives` is drawn: then `confidence_intervals` has `policy_intervals`.
    """
    tuned = None if tuned_on is None else tuned_on["policies"]
    if tuned is None:
        window = best_window(lives.logits, lives.unit, lives.time_to_event, options.lead_time)
    else:
        window = tuned["failure_probability"]["window"]
    trade_offs = lives.trade_offs(window, options.lead_time)
    policies = compare_policies(trade_offs, tuned)
    policies["failure_probability"]["window"] = window
    played = len(lives.unit) > 0
    if options.guarantee is not None and held_out is not None:
        for name, curve in held_out.trade_offs(window, options.lead_time).items():
            promised = promise(curve, options.guarantee)
            known = played and promised.threshold is not None
            test = trade_offs[name].at(promised.threshold) if known and promised.threshold is not None else None
            found = promised.to_dict()
            sentence = promise_sentence(name, found, options.guarantee)
            policies[name]["promise"] = {**found, "sentence": sentence, "test": test and asdict(test)}
    points = [trade_offs["oti"].at(cost) for cost in OTI_COSTS] if played else []
    result: dict[str, Any] = {
        "oti": [
            {"cost": cost, "miss_rate": point.miss_rate, "mean_time_to_event": point.mean_time_to_event}
            for cost, point in zip(OTI_COSTS, points, strict=False)
        ],
        "oti_at_miss_rate": policies["oti"]["at_miss_rate"],
        "policies": policies,
        "lead_time": options.lead_time,
    }
    if options.costs is not None:
        before = None if tuned_on is None else tuned_on["costs"]
        known = played and (tuned_on is None or before is not None)
        result["costs"] = (
            money(trade_offs, lives.mean_life, options.lead_time, options.costs, before) if known else None
        )
    if weights is not None:
        result["confidence_intervals"] = policy_intervals(trade_offs, result, lives.lives[1], weights, options.costs)
    return result
