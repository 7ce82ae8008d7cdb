import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.survival.policy import critical_cost, intervene, stopping_costs

hazards = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=7)


def expected_cost(hazard: np.ndarray, stop_at: int, cost: float) -> float:
    """Expected cost of stopping just before step `stop_at`, by enumeration of when the failure comes."""
    horizon = len(hazard)
    total = 0.0
    alive = 1.0
    for k in range(stop_at):
        total += alive * hazard[k] * cost  # fails at step k, before the intervention
        alive *= 1 - hazard[k]
    if stop_at == horizon:
        return total
    # Stopped at `stop_at`: the useful life given up is the number of steps that would have been survived.
    for steps in range(1, horizon - stop_at + 1):
        total += alive * np.prod(1 - hazard[stop_at : stop_at + steps])
    return total


@given(hazards, st.floats(0.1, 300))
def test_backward_induction_is_the_best_of_all_stopping_times(row: list[float], cost: float) -> None:
    hazard = np.array(row)
    costs = [expected_cost(hazard, stop_at, cost) for stop_at in range(len(row) + 1)]
    logits = torch.from_numpy(np.log(hazard) - np.log1p(-hazard))
    stop, go_on = stopping_costs(logits, cost)
    assert float(stop) == pytest.approx(costs[0], rel=1e-9)
    assert float(go_on) == pytest.approx(min(costs[1:]), rel=1e-9)
    if not np.isclose(costs[0], min(costs[1:]), rtol=1e-9):
        assert bool(intervene(logits, cost)) == (costs[0] < min(costs[1:]))


@given(hazards, st.floats(0.1, 300))
def test_critical_cost_is_where_the_decision_turns(row: list[float], cost: float) -> None:
    logits = torch.logit(torch.tensor(row, dtype=torch.float64))
    critical = float(critical_cost(logits))
    assert bool(intervene(logits, critical * (1 + 1e-9)))
    assert not bool(intervene(logits, critical * (1 - 1e-9)))
    if not np.isclose(critical, cost, rtol=1e-9):
        assert bool(intervene(logits, cost)) == (critical <= cost)


def test_critical_cost_keeps_the_shape_and_small_hazards() -> None:
    logits = torch.full((2, 3, 50), -40.0)
    logits[1, 2] = -2000.0
    critical = critical_cost(logits)
    assert critical.shape == (2, 3)
    # A constant hazard h: the expected time used per probability of failing is 1 / h - 1, whatever the step.
    assert float(critical[0, 0]) == pytest.approx(np.exp(40.0), rel=1e-6)
    assert torch.isinf(critical[1, 2])  # no hazard at all: never


def test_critical_costs_in_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(11, 6, generator=torch.Generator().manual_seed(0))
    whole = critical_cost(logits)
    monkeypatch.setattr("ddrsa.survival.policy._FORECASTS_AT_ONCE", 4)
    assert torch.equal(critical_cost(logits), whole)
