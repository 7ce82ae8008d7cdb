from __future__ import annotations

import numpy as np
import pytest
import torch

from ddrsa.survival.costs import money
from ddrsa.survival.policies import Lives, evaluate_policies
from ddrsa.survival.policy_options import Costs, PolicyOptions
from ddrsa.survival.trade_off import trade_off


def fleet(units: list[int]) -> Lives:
    """The lives of some of twelve units, of which a drawn unit stands as often as it was drawn."""
    logits, unit, tau = [], [], []
    for place, number in enumerate(units):
        rng = np.random.default_rng(number)
        life = int(rng.integers(10, 40))
        time = np.arange(life)[::-1]
        center = time + rng.normal(0, 4, life)
        logits.append(torch.from_numpy(np.where(np.arange(16) >= center[:, None], 1.0, -4.0)))
        unit.append(np.full(life, place))
        tau.append(time)
    return Lives(
        torch.cat(logits), torch.from_numpy(np.concatenate(unit)), torch.from_numpy(np.concatenate(tau).astype(float))
    )


def test_a_draw_of_a_policy_is_the_policy_on_the_units_that_were_drawn() -> None:
    drawn = [0, 0, 3, 5, 5, 5, 7, 8, 9, 10, 11, 11]
    weights = np.bincount(drawn, minlength=12)[None].astype(float)
    curves, again = (fleet(units).trade_offs(8, 2) for units in (list(range(12)), drawn))
    for name, curve in curves.items():
        for rate in (0.05, 0.1, 0.5):
            expected = again[name].best(rate)
            found = curve.resampled_best([rate], weights)[0][0]
            assert found == pytest.approx(np.nan if expected is None else expected.mean_time_to_event, nan_ok=True)
        for threshold in (*curve.thresholds[[0, len(curve.thresholds) // 2, -1]], -1e9, 1e9):
            caught, time = curve.of_units(threshold)
            point = again[name].at(threshold)
            assert 1 - (weights[0] @ caught) / 12 == pytest.approx(point.miss_rate)
            if point.mean_time_to_event is not None:
                assert (weights[0] @ time) / (weights[0] @ caught) == pytest.approx(point.mean_time_to_event)


def test_every_number_of_the_policies_has_an_interval_around_it() -> None:
    costs = Costs(1000, 100, 2, 365)
    options = PolicyOptions(costs=costs)
    test, tuned_on = fleet(list(range(12))), evaluate_policies(fleet(list(range(12, 20))), options)
    weights = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), 400).astype(float)
    result = evaluate_policies(test, options, tuned_on, weights=weights)
    intervals = result["confidence_intervals"]

    def around(value: float | None, interval: list[float] | None) -> bool:
        return value is None or interval is None or interval[0] - 1e-9 <= value <= interval[1] + 1e-9

    for point, found in zip(result["oti"], intervals["oti"], strict=True):
        assert all(around(point[name], found[name]) for name in ("miss_rate", "mean_time_to_event"))
    for name, policy in result["policies"].items():
        for label, point in policy["tuned"].items():
            found = intervals["policies"][name]["tuned"][label]
            assert all(around(point[key], found[key]) for key in ("miss_rate", "mean_time_to_event"))
    window = tuned_on["policies"]["failure_probability"]["window"]
    expected = []
    for row in weights[:2]:
        again = fleet([unit for unit in range(12) for _ in range(int(row[unit]))])
        expected.append(money(again.trade_offs(window, 1), again.mean_life, 1, costs, tuned_on["costs"]))
    two = evaluate_policies(test, options, tuned_on, weights=weights[:2])["confidence_intervals"]["costs"]
    for name in expected[0]["tuned"]:
        of_both = np.quantile([each["tuned"][name]["per_year"] for each in expected], [0.025, 0.975])
        assert two["tuned"][name]["per_year"] == pytest.approx(of_both.tolist())
    for name in ("perfect", "run_to_failure"):
        of_both = np.quantile([each[name]["per_year"] for each in expected], [0.025, 0.975])
        assert two[name]["per_year"] == pytest.approx(of_both.tolist())


def test_without_units_there_is_nothing_to_resample() -> None:
    empty = trade_off(np.empty(0), np.empty(0, np.int64), np.empty(0), "above")
    assert np.isnan(empty.resampled_best([0.05], np.zeros((2, 0)))[0]).all()
