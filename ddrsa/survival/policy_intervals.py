"""Intervals of the numbers of the policies, by the bootstrap over units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.survival.costs import expected_costs
from ddrsa.survival.policy_options import Costs
from ddrsa.survival.rivals import MISS_RATES
from ddrsa.survival.trade_off import TradeOff
from ddrsa.survival.unit_bootstrap import interval

Floats = NDArray[np.float64]


def policy_intervals(
    trade_offs: Mapping[str, TradeOff], found: Mapping[str, Any], lives: Floats, weights: Floats, costs: Costs | None
) -> dict[str, Any]:
    """The intervals of `oti`, `oti_at_miss_rate`, `policies` and `costs`, under these names and as they stand there.

    Thresholds are as they were tuned: an interval is one of what they do to other units like these. `at_miss_rate`,
    whose threshold is chosen in hindsight, is chosen anew for every draw.

    Args:
        trade_offs: on U whole units. found: what `evaluate_policies` gave for these.
        lives: (U,) cycles of each unit. weights: (B, U) how often each is drawn. costs: in money, or None.
    """
    if not len(lives):
        return {}
    policies: dict[str, Any] = {}
    for name, curve in trade_offs.items():
        policy, best = found["policies"][name], curve.resampled_best(list(MISS_RATES.values()), weights)
        policies[name] = {
            "at_miss_rate": dict(zip(MISS_RATES, map(interval, best), strict=True)),
            "tuned": {
                label: point and _played(curve, point["threshold"], weights) for label, point in policy["tuned"].items()
            },
        }
        promised = policy.get("promise")
        if promised and promised["test"]:
            policies[name]["promise"] = _played(curve, promised["threshold"], weights)
    result: dict[str, Any] = {
        "oti": [{"cost": p["cost"], **_played(trade_offs["oti"], p["cost"], weights)} for p in found["oti"]],
        "oti_at_miss_rate": policies["oti"]["at_miss_rate"],
        "policies": policies,
    }
    if costs is not None and found.get("costs"):
        money = found["costs"]
        never, perfect = money["run_to_failure"], money["perfect"]
        caught, time = np.ones(len(lives)), np.full(len(lives), perfect["mean_time_to_event"])
        result["costs"] = {
            "at_missed_failure": _cost(
                *trade_offs["oti"].of_units(money["at_missed_failure"]["threshold"]), lives, weights, costs
            ),
            "tuned": {
                name: _cost(*trade_offs[name].of_units(point["threshold"]), lives, weights, costs)
                for name, point in money["tuned"].items()
            },
            "run_to_failure": _cost(*trade_offs["oti"].of_units(never["threshold"]), lives, weights, costs),
            "perfect": _cost(caught, time, lives, weights, costs),
        }
    return result


def _played(curve: TradeOff, threshold: float, weights: Floats) -> dict[str, list[float] | None]:
    caught, time = curve.of_units(threshold)
    number = weights @ caught
    mean = np.divide(weights @ time, number, out=np.full(len(number), np.nan), where=number > 0)
    total = weights.sum(1)
    missed = np.divide(total - number, total, out=np.full(len(total), np.nan), where=total > 0)
    return {"miss_rate": interval(missed), "mean_time_to_event": interval(mean)}


def _cost(caught: Floats, time: Floats, lives: Floats, weights: Floats, costs: Costs) -> dict[str, list[float] | None]:
    total = weights.sum(1)
    known = total > 0
    caught_share, given_up, mean_life = ((weights[known] @ part) / total[known] for part in (caught, time, lives))
    per_life, per_year = expected_costs(caught_share, given_up, mean_life, costs)
    return {"per_life": interval(per_life), "per_year": interval(per_year)}
