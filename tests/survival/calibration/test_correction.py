from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.survival.calibration.correction import (
    Calibration,
    exact_correction,
    log_odds,
    log_survival_from,
    with_log_odds,
)
from ddrsa.survival.hazard import restricted_mean, survival
from ddrsa.survival.losses import ddrsa_losses, negative_log_likelihood

HORIZON = 5
LAW = np.array([0.1, 0.3, 0.15, 0.05, 0.4])  # q, of tau given that it is inside the horizon


def minimiser(event_share: float, lambda_param: float) -> Tensor:
    """The one forecast, (L,), that has the least DDRSA loss in a population with this share of events and this law."""
    logits = torch.zeros(HORIZON, dtype=torch.float64, requires_grad=True)
    tau = torch.arange(HORIZON + 1, dtype=torch.float64)  # one window for each event time, one that survives
    weight = torch.tensor([*(event_share * LAW), 1 - event_share])
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = ddrsa_losses(
            logits.expand(HORIZON + 1, -1), tau, torch.ones(HORIZON + 1, dtype=torch.bool), lambda_param
        )
        value = (weight * losses).sum()
        value.backward()
        return value

    optimizer.step(loss)
    return logits.detach()


def event_probabilities(logits: Tensor) -> NDArray[np.float64]:
    """P(tau = k), (L,), by products of probabilities."""
    hazard = 1 / (1 + np.exp(-logits.numpy()))
    return np.asarray(hazard * np.cumprod(np.concatenate([[1.0], 1 - hazard[:-1]])))


@pytest.mark.parametrize("event_share", [0.02, 0.4, 0.9])
@pytest.mark.parametrize("lambda_param", [0.25, 0.5, 0.75, 0.95])
def test_the_corrected_minimiser_of_the_loss_is_the_truth(lambda_param: float, event_share: float) -> None:
    fitted = minimiser(event_share, lambda_param)
    odds = event_share / (1 - event_share)
    # What the loss fits has too high odds ...
    assert math.exp(log_odds(fitted)) == pytest.approx(odds / (1 - lambda_param), rel=1e-4)
    # ... and what is made of it is the law of the population, step by step.
    corrected = exact_correction(lambda_param)(fitted)
    np.testing.assert_allclose(event_probabilities(corrected), event_share * LAW, rtol=1e-3)
    assert float(restricted_mean(corrected)) == pytest.approx(
        event_share * (LAW * np.arange(HORIZON)).sum() + (1 - event_share) * HORIZON, rel=1e-4
    )


def test_the_likelihood_needs_no_correction() -> None:
    logits = torch.zeros(HORIZON, dtype=torch.float64, requires_grad=True)
    tau, weight = torch.arange(HORIZON + 1.0), torch.tensor([*(0.4 * LAW), 0.6])
    optimizer = torch.optim.LBFGS([logits], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = negative_log_likelihood(logits.expand(HORIZON + 1, -1), tau, torch.ones(HORIZON + 1, dtype=torch.bool))
        value = (weight * losses).sum()
        value.backward()
        return value

    optimizer.step(loss)
    np.testing.assert_allclose(event_probabilities(logits.detach()), 0.4 * LAW, rtol=1e-3)


hazards = st.lists(st.floats(-30, 30), min_size=1, max_size=8)


@given(hazards, st.floats(-20, 20))
def test_only_the_probability_of_an_event_changes(values: list[float], wanted: float) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    changed = with_log_odds(logits, torch.tensor(wanted, dtype=torch.float64), log_odds(logits))
    assert float(log_odds(changed)) == pytest.approx(wanted, abs=1e-6)
    before, after = event_probabilities(logits), event_probabilities(changed)
    np.testing.assert_allclose(after / after.sum(), before / before.sum(), rtol=1e-6, atol=1e-9)


@given(hazards, st.floats(-5, 5))
def test_a_correction_and_its_reverse(values: list[float], offset: float) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    back = Calibration("odds", offset=-offset)(Calibration("odds", offset=offset)(logits))
    torch.testing.assert_close(back, logits, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 80.0, 1000.0])
def test_float32_agrees_with_float64_and_is_finite(scale: float) -> None:
    logits = torch.randn(50, 128, generator=torch.Generator().manual_seed(0)) * scale
    for calibration in (exact_correction(0.95), Calibration("fitted", offset=1.3, slope=0.7)):
        corrected = calibration(logits)
        assert corrected.isfinite().all()
        torch.testing.assert_close(
            survival(corrected).double(), survival(calibration(logits.double())), rtol=1e-3, atol=1e-5
        )


def test_small_hazards_before_a_large_one_keep_their_digits() -> None:
    logits = torch.tensor([[-20.0] * 60 + [3.0] + [-20.0] * 60])
    exact = log_survival_from(logits.double())
    torch.testing.assert_close(log_survival_from(logits).double(), exact, rtol=1e-5, atol=0)


def test_nothing_is_done_to_the_bits_of_a_forecast_that_needs_nothing() -> None:
    logits = torch.randn(3, 9)
    assert Calibration()(logits) is logits
    assert exact_correction(0.0)(logits) is logits


def test_a_calibration_comes_back_from_plain_values() -> None:
    calibration = Calibration("fitted", offset=-1.25, slope=0.8)
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    for wrong in (
        {},
        {"method": "magic", "offset": 0.0, "slope": 1.0},
        {"method": "odds", "offset": math.nan, "slope": 1.0},
        {"method": "fitted", "offset": 0.0, "slope": -1.0},
    ):
        with pytest.raises(ValueError, match="expected"):
            Calibration.from_dict(wrong)
