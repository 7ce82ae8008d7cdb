import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.survival.losses import (
    NASA_PENALTY_LIMIT,
    ddrsa_loss,
    nasa_loss,
    nasa_penalty,
    negative_log_likelihood,
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
    expected = np.mean([loss_by_the_formula(hazard[i], rows[i][1], rows[i][2], lambda_param) for i in range(len(rows))])
    assert float(ddrsa_loss(logits, tau, observed, lambda_param)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


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
    ddrsa_loss(logits, torch.tensor([2.0]), torch.tensor([False]), 0.75).backward()
    assert (logits.grad[0, :3] > 0).all()
    assert (logits.grad[0, 3:] == 0).all()


def test_nasa_penalty_is_asymmetric_and_its_gradient_finite() -> None:
    error = torch.tensor([-13.0, 0.0, 10.0, 1e6], requires_grad=True)
    penalty = nasa_penalty(error)
    np.testing.assert_allclose(
        penalty.detach(), [np.e - 1, 0, np.e - 1, np.exp(NASA_PENALTY_LIMIT / 10) - 1], rtol=1e-5
    )
    penalty.sum().backward()
    assert error.grad.isfinite().all()


def test_nasa_loss_counts_event_windows_alone() -> None:
    logits = torch.full((3, HORIZON), -100.0)  # predicts 6 cycles for all
    tau = torch.tensor([1.0, 100.0, 2.0])
    observed = torch.tensor([True, True, False])
    assert float(nasa_loss(logits, tau, observed)) == pytest.approx(np.exp(5 / 10) - 1, rel=1e-6)
    none = torch.tensor([False, False, False])
    assert float(nasa_loss(logits, tau, none)) == 0.0


def test_training_loss_adds_the_weighted_penalty() -> None:
    logits = torch.randn(4, HORIZON, generator=torch.Generator().manual_seed(0))
    tau, observed = torch.tensor([0.0, 3.0, 9.0, 2.0]), torch.tensor([True, True, True, False])
    base, penalty = ddrsa_loss(logits, tau, observed, 0.6), nasa_loss(logits, tau, observed)
    assert float(training_loss(logits, tau, observed, 0.6, 0.3)) == pytest.approx(float(base + 0.3 * penalty))


@pytest.mark.parametrize("scale", [50.0, 500.0])
def test_gradient_is_finite_for_extreme_logits(scale: float) -> None:
    logits = (torch.randn(8, HORIZON, generator=torch.Generator().manual_seed(1)) * scale).requires_grad_()
    tau = torch.arange(8.0)
    training_loss(logits, tau, torch.tensor([True, False] * 4), 0.75, 0.1).backward()
    assert logits.grad.isfinite().all()
