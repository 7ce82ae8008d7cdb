import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.survival.losses import (
    NASA_PENALTY_LIMIT,
    RANKING_SCALE,
    ddrsa_losses,
    event_inside,
    nasa_penalties,
    nasa_penalty,
    negative_log_likelihood,
    ranking_loss,
    training_loss,
)

HORIZON = 6


def loss_by_the_formula(hazard: np.ndarray, tau: int, observed: bool, lambda_param: float) -> float:
    """Section 3 of the design, word for word, with products of probabilities instead of logarithms."""
    if observed and tau < HORIZON:
        event = hazard[tau] * np.prod(1 - hazard[:tau])
        any_event = 1 - np.prod(1 - hazard)
        return -lambda_param * np.log(event) - (1 - lambda_param) * np.log(any_event)
    steps = HORIZON if observed else min(tau + 1, HORIZON)
    return -(1 - lambda_param) * np.log(np.prod(1 - hazard[:steps]))


windows = st.lists(
    st.tuples(
        st.lists(st.floats(-4, 4), min_size=HORIZON, max_size=HORIZON), st.integers(0, 2 * HORIZON), st.booleans()
    ),
    min_size=1,
    max_size=5,
)


@given(windows, st.floats(0, 1))
def test_loss_is_the_formula(rows: list[tuple[list[float], int, bool]], lambda_param: float) -> None:
    logits = torch.tensor([row[0] for row in rows], dtype=torch.float64)
    tau = torch.tensor([float(row[1]) for row in rows])
    observed = torch.tensor([row[2] for row in rows])
    hazard = 1 / (1 + np.exp(-logits.numpy()))
    expected = [loss_by_the_formula(hazard[i], rows[i][1], rows[i][2], lambda_param) for i in range(len(rows))]
    np.testing.assert_allclose(ddrsa_losses(logits, tau, observed, lambda_param), expected, rtol=1e-9, atol=1e-12)


@given(windows)
def test_likelihood_is_that_of_the_observation(rows: list[tuple[list[float], int, bool]]) -> None:
    logits = torch.tensor([row[0] for row in rows], dtype=torch.float64)
    tau = torch.tensor([float(row[1]) for row in rows])
    observed = torch.tensor([row[2] for row in rows])
    hazard = 1 / (1 + np.exp(-logits.numpy()))
    for i, nll in enumerate(negative_log_likelihood(logits, tau, observed)):
        # lambda = 1 leaves an event window's -log P(tau), lambda = 0 another window's -log S.
        event = rows[i][2] and rows[i][1] < HORIZON
        expected = loss_by_the_formula(hazard[i], rows[i][1], rows[i][2], 1.0 if event else 0.0)
        assert float(nll) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_censored_window_says_nothing_of_later_steps() -> None:
    logits = torch.zeros(1, HORIZON, requires_grad=True)
    ddrsa_losses(logits, torch.tensor([2.0]), torch.tensor([False]), 0.75).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[0, :3] > 0).all()
    assert (logits.grad[0, 3:] == 0).all()


def test_nasa_penalty_is_asymmetric() -> None:
    np.testing.assert_allclose(nasa_penalty(torch.tensor([-13.0, 0.0, 10.0])), [np.e - 1, 0, np.e - 1], rtol=1e-5)


@pytest.mark.parametrize(("sign", "scale"), [(1, 10), (-1, 13)])
def test_nasa_penalty_goes_on_as_a_straight_line(sign: int, scale: int) -> None:
    error = torch.tensor([99.99, 100.01, 110.0, 1000.0, 1e6], dtype=torch.float64) * sign
    error.requires_grad_()
    penalty = nasa_penalty(error)
    penalty.sum().backward()
    assert error.grad is not None
    at_limit = np.exp(NASA_PENALTY_LIMIT / scale)
    beyond = error.detach().abs()[2:] - NASA_PENALTY_LIMIT
    np.testing.assert_allclose(penalty[2:].detach(), at_limit * (1 + beyond / scale) - 1, rtol=1e-5)
    # The worst windows keep a gradient, as steep as at the limit and no steeper.
    np.testing.assert_allclose(error.grad, sign * at_limit / scale, rtol=2e-3)


def test_ranking_loss_is_the_mean_over_comparable_pairs() -> None:
    logits = torch.randn(9, HORIZON, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tau = torch.tensor([0.0, 3.0, 3.0, 9.0, 2.0, 5.0, 3.0, 8.0, 1.0])
    observed = torch.tensor([True, True, False, True, False, True, True, False, True])
    failed = (1 - np.cumprod(1 / (1 + np.exp(logits.numpy())), axis=1)).tolist()
    pairs = [
        math.exp(-(failed[i][int(tau[i])] - failed[j][int(tau[i])]) / RANKING_SCALE)
        for i in range(9)
        for j in range(9)
        if observed[i] and tau[i] < HORIZON and (tau[j] > tau[i] or (tau[j] == tau[i] and not observed[j]))
    ]
    assert float(ranking_loss(logits, tau, observed)) == pytest.approx(np.mean(pairs))
    assert float(ranking_loss(logits, tau, torch.zeros(9, dtype=torch.bool))) == 0


def test_the_loss_can_be_the_likelihood() -> None:
    logits = torch.randn(4, HORIZON, generator=torch.Generator().manual_seed(0))
    tau, observed = torch.tensor([0.0, 3.0, 9.0, 2.0]), torch.tensor([True, True, True, False])
    found = training_loss(logits, tau, observed, 0.6, 0.0, 4, torch.tensor(2), loss_name="likelihood")
    assert float(found) == pytest.approx(float(negative_log_likelihood(logits, tau, observed).mean()))


def test_nasa_penalties_count_event_windows_alone() -> None:
    logits = torch.full((3, HORIZON), -100.0)  # predicts 6 cycles for all
    tau = torch.tensor([1.0, 100.0, 2.0])
    observed = torch.tensor([True, True, False])
    penalties = nasa_penalties(logits, tau, observed)
    np.testing.assert_allclose(penalties, [np.exp(5 / 10) - 1, 0, 0], rtol=1e-6)


def whole_loss(logits: torch.Tensor, tau: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    num_events = event_inside(tau, observed, HORIZON).sum()
    return training_loss(logits, tau, observed, 0.6, 0.3, num_windows=len(tau), num_events=num_events)


def test_training_loss_is_the_mean_loss_and_the_mean_penalty_of_events() -> None:
    logits = torch.randn(4, HORIZON, generator=torch.Generator().manual_seed(0))
    tau, observed = torch.tensor([0.0, 3.0, 9.0, 2.0]), torch.tensor([True, True, True, False])
    expected = ddrsa_losses(logits, tau, observed, 0.6).mean() + 0.3 * nasa_penalties(logits, tau, observed)[:2].mean()
    assert float(whole_loss(logits, tau, observed)) == pytest.approx(float(expected))
    without_event = whole_loss(logits, tau, torch.tensor([False] * 4))
    assert float(without_event) == pytest.approx(
        float(ddrsa_losses(logits, tau, torch.tensor([False] * 4), 0.6).mean())
    )


def test_losses_of_the_parts_of_a_batch_add_up() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, HORIZON, generator=generator)
    tau = torch.randint(0, 10, (7,), generator=generator).float()
    observed = torch.tensor([True, False, True, True, True, False, True])
    num_events = event_inside(tau, observed, HORIZON).sum()
    parts = sum(
        float(training_loss(*part, 0.6, 0.3, num_windows=7, num_events=num_events))
        for part in zip(logits.split(3), tau.split(3), observed.split(3), strict=True)
    )
    assert parts == pytest.approx(float(whole_loss(logits, tau, observed)), rel=1e-6)


@pytest.mark.parametrize("scale", [50.0, 500.0])
def test_gradient_is_finite_for_extreme_logits(scale: float) -> None:
    logits = (torch.randn(8, HORIZON, generator=torch.Generator().manual_seed(1)) * scale).requires_grad_()
    tau = torch.arange(8.0)
    whole_loss(logits, tau, torch.tensor([True, False] * 4)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
