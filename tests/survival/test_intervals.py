from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.survival.intervals import central_interval, evaluate_intervals, interval_coverage, interval_ends, quantile

hazards = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=9)


def distribution(row: list[float]) -> np.ndarray:
    """P(tau = k), and in the last place P(tau >= L)."""
    hazard = np.append(row, 1.0)
    return hazard * np.append(1.0, np.cumprod(1 - hazard)[:-1])


@given(hazards, st.floats(0.01, 0.99))
def test_quantile_by_its_definition(row: list[float], probability: float) -> None:
    cumulative = distribution(row)[:-1].cumsum()
    if np.isclose(cumulative, probability, atol=1e-9).any():
        return
    reached = np.flatnonzero(cumulative >= probability)
    expected = reached[0] if len(reached) else len(row)
    assert quantile(torch.logit(torch.tensor(row, dtype=torch.float64)), probability) == expected


@given(hazards, st.floats(0.05, 0.95))
def test_central_interval_holds_its_level(row: list[float], level: float) -> None:
    lower, upper = central_interval(torch.logit(torch.tensor(row, dtype=torch.float64)), level)
    inside = distribution(row)[int(lower) : int(upper) + 1].sum()
    assert inside >= level - 1e-9


def test_coverage_counts_what_is_known() -> None:
    #                held, below, above, beyond | open: held, below, beyond, all beyond | censored
    lower = np.array([2.0, 5, 1, 1, 3, 8, 6, 10, 0])
    upper = np.array([6.0, 7, 4, 9, 10, 10, 10, 10, 9])
    time = np.array([6.0, 4, 5, 10, 9, 7, 10, 10, 3])
    event = np.array([True, True, True, False, True, True, False, False, False])
    result = interval_coverage(lower, upper, time, event, horizon=10)
    assert result["coverage"] == 1 / 4
    assert result["mean_width"] == np.mean([4, 2, 3, 8])
    assert result["num_windows"] == 4
    assert result["open_share"] == 4 / 9
    assert result["lower_end_coverage"] == 2 / 3


@pytest.mark.parametrize("horizon", [90, 150])
def test_true_forecast_is_covered_at_its_level(horizon: int) -> None:
    """Failure times drawn from the forecasts themselves, inside the horizon and beyond it."""
    rng = np.random.default_rng(horizon)
    n = 20_000
    hazard = rng.uniform(0.005, 0.04, (n, 1)) * np.ones(horizon)
    tau = rng.geometric(hazard[:, 0]) - 1
    event = tau < horizon
    ends = interval_ends(np.cumprod(1 - hazard, axis=1, dtype=np.float64))
    result = evaluate_intervals(ends, np.minimum(tau, horizon).astype(float), event, horizon, np.arange(len(tau)))
    for label, level in (("50%", 0.5), ("80%", 0.8), ("90%", 0.9)):
        one = result[label]
        # The two ends are whole cycles, and each carries up to 4 % of probability.
        assert level - 0.02 < one["coverage"] < level + 0.06
        assert (1 + level) / 2 - 0.02 < one["lower_end_coverage"] < (1 + level) / 2 + 0.04
        assert 0.05 < one["open_share"] < 0.95
    assert result["50%"]["mean_width"] < result["80%"]["mean_width"]
    assert result["50%"]["open_share"] < result["90%"]["open_share"]


def test_nothing_to_count_is_none() -> None:
    empty = np.empty(0)
    result = interval_coverage(empty, empty, empty, empty.astype(bool), 5)
    assert (result["coverage"], result["mean_width"], result["num_windows"]) == (None, None, 0)
