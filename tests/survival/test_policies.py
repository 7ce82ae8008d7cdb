from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from ddrsa.errors import ConfigError
from ddrsa.survival.policies import Lives, evaluate_policies
from ddrsa.survival.policy_options import Costs, Guarantee, PolicyOptions, policy_options
from ddrsa.survival.rivals import POLICIES, intervenes, policy_score

HORIZON = 30


def fleet(seed: int, num_units: int) -> Lives:
    """Forecasts that are somewhat right, for units of 20 to 60 rows."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 60, num_units)
    tau = np.concatenate([np.arange(length)[::-1] for length in lengths]).astype(np.float32)
    guess = tau + rng.normal(0, 3, len(tau))
    logits = (np.arange(HORIZON) - guess[:, None]) / 2 - 1
    unit = np.repeat(np.arange(num_units), lengths)
    return Lives(torch.from_numpy(logits).float(), torch.from_numpy(unit), torch.from_numpy(tau))


def missed(lives: Lives, name: str, threshold: float, window: int, lead_time: int) -> float:
    """The miss rate by going through each life."""
    now = intervenes(name, policy_score(name, lives.logits, window), threshold)
    in_time = now & (lives.time_to_event >= lead_time)
    units = lives.unit.unique()
    return float(np.mean([not in_time[lives.unit == unit].any() for unit in units]))


@pytest.mark.parametrize("name", POLICIES)
def test_lead_time_guarantee_and_costs_are_those_of_whole_lives(name: str) -> None:
    costs = Costs(1000, 100, 3, 365)
    options = PolicyOptions(lead_time=7, guarantee=Guarantee(0.2, 0.9), costs=costs)
    validation, test, held_out = fleet(0, 20), fleet(1, 25), fleet(2, 40)
    tuned = evaluate_policies(validation, options)
    result = evaluate_policies(test, options, tuned, held_out)
    window = tuned["policies"]["failure_probability"]["window"]
    found = result["policies"][name]["promise"]
    assert found["kept"]
    assert missed(held_out, name, found["threshold"], window, 7) == found["misses"] / 40
    assert missed(test, name, found["threshold"], window, 7) == pytest.approx(found["test"]["miss_rate"])
    for label, rate in (("5%", 0.05), ("10%", 0.1)):
        point = tuned["policies"][name]["tuned"][label]
        assert missed(validation, name, point["threshold"], window, 7) <= rate
        assert point["mean_time_to_event"] >= 7
    assert result["costs"]["tuned"][name]["threshold"] == tuned["costs"]["tuned"][name]["threshold"]
    assert result["costs"]["perfect"]["per_life"] == 100 + 7 * 3
    assert result["lead_time"] == 7


def test_without_wishes_there_is_neither_a_promise_nor_a_bill() -> None:
    result = evaluate_policies(fleet(0, 9), PolicyOptions())
    assert "costs" not in result
    assert all("promise" not in policy for policy in result["policies"].values())


def test_options_that_are_null_are_not_there() -> None:
    assert policy_options(None) == PolicyOptions()
    empty = {"guarantee": {"miss_rate": None, "confidence": 0.9}, "costs": {"failure": None, "currency": "EUR"}}
    assert policy_options(empty) == PolicyOptions()
    assert policy_options({"guarantee": {"miss_rate": 0.1}}).guarantee == Guarantee(0.1, 0.9)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lead_time": 0}, "policy.lead_time=0"),
        ({"lead_time": 2.5}, "policy.lead_time=2.5"),
        ({"leadtime": 3}, "policy.leadtime: there is no such key"),
        ({"guarantee": {"miss_rate": 5}}, "policy.guarantee.miss_rate=5"),
        ({"guarantee": {"miss_rate": 0.1, "confidence": 1}}, "policy.guarantee.confidence=1"),
        ({"guarantee": 0.05}, "policy.guarantee=0.05"),
        ({"costs": {"failure": 100, "cycle": 1}}, "policy.costs.intervention is missing"),
        ({"costs": {"failure": 5, "intervention": 9, "cycle": 1, "cycles_per_year": 9}}, "policy.costs.failure=5"),
        ({"costs": {"failure": 5, "intervention": 1, "cycle": 0, "cycles_per_year": 9}}, "policy.costs.cycle=0"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}"):
        policy_options(values)
