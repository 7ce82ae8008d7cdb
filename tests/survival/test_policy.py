import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.survival.policy import evaluate_policy, intervene, stopping_costs

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


@given(
    st.lists(hazards.filter(lambda row: len(row) == 5), min_size=2, max_size=8), st.floats(1, 100), st.floats(1, 100)
)
def test_a_larger_cost_intervenes_no_later(life: list[list[float]], cost: float, more: float) -> None:
    logits = torch.logit(torch.tensor(life, dtype=torch.float64))
    tau = torch.arange(len(life) - 1, -1, -1)
    unit = torch.zeros(len(life))
    cheap, dear = (evaluate_policy(logits, unit, tau, value) for value in (cost, cost + more))
    assert dear.miss_rate <= cheap.miss_rate
    if cheap.mean_time_to_event is not None:
        assert dear.mean_time_to_event >= cheap.mean_time_to_event


def test_first_intervention_of_each_unit_counts() -> None:
    never, now = torch.full((4,), -30.0), torch.full((4,), 30.0)
    logits = torch.stack([never, now, never, now, never, never, now])
    unit = torch.tensor([7, 7, 7, 7, 3, 3, 3])
    tau = torch.tensor([3.0, 2.0, 1.0, 0.0, 2.0, 1.0, 0.0])
    # Unit 7 is stopped 2 cycles early. Unit 3 only at the failure itself, which is too late.
    outcome = evaluate_policy(logits, unit, tau, 8.0)
    assert outcome.miss_rate == 0.5
    assert outcome.mean_time_to_event == 2.0


def test_all_missed() -> None:
    outcome = evaluate_policy(torch.full((2, 4), -30.0), torch.tensor([1, 1]), torch.tensor([1.0, 0.0]), 8.0)
    assert (outcome.miss_rate, outcome.mean_time_to_event) == (1.0, None)
