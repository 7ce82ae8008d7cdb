from __future__ import annotations

import numpy as np
import pytest

from ddrsa.survival.costs import cheapest, cost_at, money
from ddrsa.survival.policy_options import Costs
from ddrsa.survival.trade_off import TradeOff, trade_off

COSTS = Costs(failure=1000, intervention=100, cycle=3, cycles_per_year=365, currency="EUR")


def fleet(seed: int = 0, num_units: int = 15) -> tuple[TradeOff, list[tuple[np.ndarray, np.ndarray]]]:
    rng = np.random.default_rng(seed)
    tau = [np.arange(n, dtype=float)[::-1] for n in rng.integers(20, 60, num_units)]
    score = [times + rng.normal(0, 4, len(times)) for times in tau]
    unit = np.repeat(np.arange(num_units), [len(times) for times in tau])
    return trade_off(np.concatenate(score), unit, np.concatenate(tau), "below"), list(zip(score, tau, strict=True))


def played(units: list[tuple[np.ndarray, np.ndarray]], threshold: float, costs: Costs) -> tuple[float, float]:
    """Cost per life and per year by playing each life and paying its bill."""
    bill = used = 0.0
    for score, tau in units:
        at = next((tau[i] for i in range(len(tau)) if score[i] <= threshold and tau[i] >= 1), None)
        bill += costs.failure if at is None else costs.intervention + at * costs.cycle
        used += len(tau) - (at or 0)
    return bill / len(units), bill / used * costs.cycles_per_year


def mean_life(units: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return float(np.mean([len(tau) for _, tau in units]))


@pytest.mark.parametrize("threshold", [-3.0, 2.0, 5.5, 12.0])
def test_cost_of_a_threshold_is_that_of_playing_it(threshold: float) -> None:
    curve, units = fleet()
    point = cost_at(curve, threshold, mean_life(units), COSTS)
    assert (point.per_life, point.per_year) == pytest.approx(played(units, threshold, COSTS))


def test_cheapest_threshold_is_the_cheapest_of_all() -> None:
    curve, units = fleet()
    best = cheapest(curve, mean_life(units), COSTS)
    everything = np.concatenate([score for score, _ in units])
    assert best.per_year == pytest.approx(min(played(units, float(value), COSTS)[1] for value in everything))


def test_where_interventions_hardly_help_it_runs_to_failure() -> None:
    curve, units = fleet()
    costs = Costs(failure=101, intervention=100, cycle=50, cycles_per_year=365)
    best = cheapest(curve, mean_life(units), costs)
    assert (best.threshold, best.miss_rate, best.per_life) == (None, 1.0, 101.0)
    tuned = money({"oti": curve}, mean_life(units), 1, costs)
    assert money({"oti": curve}, mean_life(units), 1, costs, tuned)["tuned"]["oti"]["miss_rate"] == 1.0


def test_money_has_its_yardsticks() -> None:
    curve, units = fleet()
    result = money({"oti": curve}, mean_life(units), 2, COSTS)
    assert result["missed_failure"] == pytest.approx(300)
    assert result["run_to_failure"]["per_life"] == 1000
    assert result["perfect"]["per_life"] == 106
    order = [result[key]["per_year"] for key in ("perfect", "run_to_failure")]
    assert order[0] < result["tuned"]["oti"]["per_year"] <= result["at_missed_failure"]["per_year"]
    assert result["tuned"]["oti"]["per_year"] <= order[1]
