from __future__ import annotations

import numpy as np
import pytest
import torch

from ddrsa.survival.hazard import survival
from ddrsa.survival.policy import intervene
from ddrsa.survival.rivals import (
    POLICIES,
    best_window,
    compare_policies,
    intervenes,
    policy_score,
    policy_trade_offs,
    windows_to_try,
)

HORIZON = 30


def fleet(seed: int, num_units: int = 12, spread: float = 3.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Forecasts that are somewhat right, for units of 20 to 60 rows."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 60, num_units)
    tau = np.concatenate([np.arange(length)[::-1] for length in lengths]).astype(np.float32)
    unit = np.repeat(np.arange(num_units), lengths)
    guess = tau + rng.normal(0, spread, len(tau))
    logits = (np.arange(HORIZON) - guess[:, None]) / 2 - 1
    return torch.from_numpy(logits).float(), torch.from_numpy(unit), torch.from_numpy(tau)


def test_scores_are_what_they_say() -> None:
    logits, *_ = fleet(0)
    s = survival(logits.double())
    assert torch.allclose(policy_score("time_to_event_threshold", logits), s.sum(-1), atol=1e-4)
    assert torch.allclose(policy_score("failure_probability", logits, 7), 1 - s[:, 6])
    for cost in (5.0, 40.0, 300.0):
        assert torch.equal(intervenes("oti", policy_score("oti", logits), cost), intervene(logits, cost))


def test_windows_to_try() -> None:
    assert windows_to_try(1) == [1]
    assert windows_to_try(8) == [1, 2, 4, 8]
    assert windows_to_try(20) == [1, 2, 4, 8, 16, 20]


@pytest.mark.parametrize("name", POLICIES)
def test_threshold_is_tuned_on_validation_units_and_played_on_the_others(name: str) -> None:
    validation, test = fleet(1), fleet(2)
    tuned = compare_policies(policy_trade_offs(*validation, window=8))
    result = compare_policies(policy_trade_offs(*test, window=8), tuned)[name]
    for label, miss_rate in (("5%", 0.05), ("10%", 0.10)):
        on_validation = tuned[name]["tuned"][label]
        assert on_validation["miss_rate"] <= miss_rate
        assert on_validation["mean_time_to_event"] == tuned[name]["at_miss_rate"][label]
        point = result["tuned"][label]
        assert point["threshold"] == on_validation["threshold"]
        # The same threshold, unit by unit.
        logits, unit, tau = test
        chosen = intervenes(name, policy_score(name, logits, 8), point["threshold"]) & (tau >= 1)
        first = [tau[chosen & (unit == u)].max().item() for u in unit.unique() if (chosen & (unit == u)).any()]
        assert point["miss_rate"] == pytest.approx(1 - len(first) / 12)
        assert point["mean_time_to_event"] == pytest.approx(np.mean(first))
        # In hindsight one can do better at the same miss rate, or not at all.
        if point["miss_rate"] <= miss_rate:
            assert result["at_miss_rate"][label] <= point["mean_time_to_event"] + 1e-9


def test_window_is_the_one_that_gives_up_least() -> None:
    validation = fleet(3, num_units=20)
    chosen = best_window(*validation)

    def given_up(window: int) -> float:
        return compare_policies(policy_trade_offs(*validation, window))["failure_probability"]["at_miss_rate"]["5%"]

    assert given_up(chosen) == min(given_up(window) for window in windows_to_try(HORIZON))


def test_without_failures_there_is_nothing_to_tune() -> None:
    nothing = torch.empty(0, HORIZON), torch.empty(0, dtype=torch.int64), torch.empty(0)
    window = best_window(*nothing)
    empty = compare_policies(policy_trade_offs(*nothing, window))
    result = compare_policies(policy_trade_offs(*fleet(4), window), empty)
    reverse = compare_policies(
        policy_trade_offs(*nothing, window), compare_policies(policy_trade_offs(*fleet(4), window))
    )
    for name in POLICIES:
        assert reverse[name]["tuned"] == {"5%": None, "10%": None}
        assert empty[name]["curve"] == []
        assert result[name]["tuned"] == {"5%": None, "10%": None}
        assert result[name]["curve"][-1]["miss_rate"] == 0
