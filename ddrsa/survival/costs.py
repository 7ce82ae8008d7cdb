"""The expected cost of a policy in money, per life and per unit and year.

A life that ends with a missed failure costs that failure; one that is ended in time costs the intervention and the
value of the useful life that is given up. After either the unit starts anew, so by the renewal reward theorem (Ross,
"Stochastic Processes", 1996, theorem 3.6.1) the cost per cycle in the long run is the mean cost of a life over the mean
cycles that are used of it. The value of the used cycles themselves is left out: every policy pays it alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.survival.policy_options import Costs
from ddrsa.survival.trade_off import TradeOff

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CostPoint:
    """A policy with one threshold; None: it never intervenes. per_life and per_year: the expected cost, in money."""

    threshold: float | None
    miss_rate: float
    mean_time_to_event: float | None
    per_life: float
    per_year: float


def expected_costs(caught: Floats, given_up: Floats, mean_life: float | Floats, costs: Costs) -> tuple[Floats, Floats]:
    """The cost per life, and per unit and year, each (...); the second is infinite where no cycle is used.

    Args:
        caught: (...) the share of lives that are ended in time.
        given_up: (...) cycles given up, the mean over all lives.
        mean_life: cycles from the first to the failure.
    """
    per_life = (1 - caught) * costs.failure + caught * costs.intervention + given_up * costs.cycle
    used = mean_life - given_up
    per_cycle = np.divide(per_life, used, out=np.full_like(per_life, np.inf), where=used > 0)
    return per_life, per_cycle * costs.cycles_per_year


def cost_at(trade_off: TradeOff, threshold: float | None, mean_life: float, costs: Costs) -> CostPoint:
    """The cost of the policy with a threshold, played on the units of `trade_off`."""
    if threshold is None:
        return _point(None, 1.0, None, mean_life, costs)
    played = trade_off.at(threshold)
    return _point(threshold, played.miss_rate, played.mean_time_to_event, mean_life, costs)


def cheapest(trade_off: TradeOff, mean_life: float, costs: Costs) -> CostPoint:
    """The threshold with the lowest cost per unit and year on the units of `trade_off`, or none at all."""
    never = _point(None, 1.0, None, mean_life, costs)
    if not len(trade_off.thresholds):
        return never
    n = trade_off.num_units
    _, per_year = expected_costs(trade_off.num_caught / n, trade_off.sum_of_times / n, mean_life, costs)
    best = cost_at(trade_off, float(trade_off.thresholds[int(np.argmin(per_year))]), mean_life, costs)
    return best if best.per_year < never.per_year else never


def money(
    trade_offs: dict[str, TradeOff],
    mean_life: float,
    lead_time: int,
    costs: Costs,
    tuned_on: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the policies cost, as it stands in test_metrics.json under `costs`.

    trade_offs: on units that ran to failure, whose mean life is `mean_life`.
    tuned_on: what this gave for the validation units; None to tune on these units themselves.

    Returns:
        `missed_failure`, the cost C of the OTI policy in cycles that follows from the costs; `at_missed_failure`, that
        policy; `tuned`, each policy with the threshold that is cheapest on the validation units; and, to compare with,
        `run_to_failure`, without interventions, and `perfect`, an intervention just in time in every life.
    """
    result: dict[str, Any] = {"currency": costs.currency, "missed_failure": costs.missed_failure}
    result["at_missed_failure"] = asdict(cost_at(trade_offs["oti"], costs.missed_failure, mean_life, costs))
    tuned = {}
    for name, trade_off in trade_offs.items():
        if tuned_on is None:
            tuned[name] = asdict(cheapest(trade_off, mean_life, costs))
        else:
            tuned[name] = asdict(cost_at(trade_off, tuned_on["tuned"][name]["threshold"], mean_life, costs))
    result["tuned"] = tuned
    result["run_to_failure"] = asdict(_point(None, 1.0, None, mean_life, costs))
    result["perfect"] = asdict(_point(None, 0.0, float(min(lead_time, mean_life)), mean_life, costs))
    return result


def _point(threshold: float | None, missed: float, mean: float | None, mean_life: float, costs: Costs) -> CostPoint:
    caught = 1 - missed
    per_life, per_year = expected_costs(np.array(caught), np.array(caught * (mean or 0.0)), mean_life, costs)
    return CostPoint(threshold, missed, mean, float(per_life), float(per_year))
