"""The regret of a policy on a simulated fleet, where the best possible one is known; for true_survival.py.

The cost of a policy is the useful life that it gives up and C for each failure that it misses, in cycles, the mean over
lives. Whoever knew the future would intervene one cycle before each failure. What a policy costs more than that is its
regret, and it has three parts:

    what no sensor shows       the true survival given the sensors, with the best threshold, against knowing the future
    what the model lost        the model with its best threshold, against the true survival with its own
    what the threshold lost    the model with the threshold tuned on validation units, against its best one

The best threshold is the one that is cheapest on these very lives; the score is the critical cost of OTI throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrsa.survival.trade_off import TradeOff, trade_off

Floats = NDArray[np.float64]
COSTS = (32.0, 128.0, 512.0)
# With all known: the intervention one cycle before the failure.
CLAIRVOYANT = 1.0


@dataclass(frozen=True)
class Lives:
    """survival: (N, L) forecast at each row of whole lives; time_to_event, unit: (N,)."""

    survival: Floats
    time_to_event: Floats
    unit: NDArray[np.int64]

    def played(self) -> TradeOff:
        """All thresholds on the critical cost."""
        failed = 1 - self.survival
        used = self.survival.cumsum(axis=1)
        score = np.divide(used, failed, out=np.full_like(used, np.inf), where=failed > 0).max(axis=1)
        return trade_off(score, self.unit, self.time_to_event, "below")


def cost_of(played: TradeOff, threshold: float, cost: float) -> float:
    """The mean cost of a life, in cycles."""
    point = played.at(threshold)
    return cost * point.miss_rate + (1 - point.miss_rate) * (point.mean_time_to_event or 0.0)


def best_threshold(played: TradeOff, cost: float) -> float:
    """The threshold that is cheapest on these lives."""
    n = played.num_units
    costs = cost * (n - played.num_caught) / n + played.sum_of_times / n
    return float(played.thresholds[int(np.argmin(costs))])


def report_regret(truth: Lives, models: dict[str, tuple[Lives, Lives]]) -> None:
    """Print the table. models: by name the lives of the validation units and those of the test units."""
    true = truth.played()
    print("\nRegret of a life, cycles: what it costs more than an intervention one cycle before the failure")
    print(f"\n{'':26}{'C':>6}{'no sensor shows':>17}{'model lost':>12}{'threshold lost':>16}{'sum':>8}{'missed':>8}")
    for cost in COSTS:
        possible = cost_of(true, best_threshold(true, cost), cost)
        for name, (validation, test) in models.items():
            played = test.played()
            tuned = best_threshold(validation.played(), cost)
            best, used = cost_of(played, best_threshold(played, cost), cost), cost_of(played, tuned, cost)
            parts = (possible - CLAIRVOYANT, best - possible, used - best)
            missed = played.at(tuned).miss_rate
            print(
                f"{name:26}{cost:6.0f}{parts[0]:17.1f}{parts[1]:12.1f}{parts[2]:16.1f}"
                f"{used - CLAIRVOYANT:8.1f}{missed:8.0%}"
            )
