import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddrsa.survival.hazard import log_event_probability, log_survival, restricted_mean, survival

logit_rows = st.lists(st.floats(-12, 12), min_size=1, max_size=30)


@given(logit_rows)
def test_products_of_hazards(row: list[float]) -> None:
    hazard = 1 / (1 + np.exp(-np.array(row)))
    expected_survival = np.cumprod(1 - hazard)
    before = np.concatenate([[1.0], expected_survival[:-1]])
    logits = torch.tensor(row, dtype=torch.float64)
    np.testing.assert_allclose(survival(logits), expected_survival, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(log_event_probability(logits).exp(), hazard * before, rtol=1e-9, atol=1e-300)


@given(logit_rows)
def test_events_and_survival_are_a_distribution(row: list[float]) -> None:
    logits = torch.tensor(row, dtype=torch.float64)
    total = log_event_probability(logits).exp().sum() + survival(logits)[-1]
    assert float(total) == pytest.approx(1, abs=1e-12)


@given(logit_rows)
def test_restricted_mean_is_the_mean_of_min_tau_and_horizon(row: list[float]) -> None:
    logits = torch.tensor(row, dtype=torch.float64)
    steps = torch.arange(len(row), dtype=torch.float64)
    beyond = survival(logits)[-1] * len(row)
    expected = (log_event_probability(logits).exp() * steps).sum() + beyond
    assert float(restricted_mean(logits)) == pytest.approx(float(expected), abs=1e-9)


def test_extreme_logits_stay_finite_in_float32() -> None:
    logits = torch.tensor([[-200.0, 200.0, -200.0], [90.0, 90.0, 90.0]])
    assert log_survival(logits).isfinite().all()
    assert log_event_probability(logits).isfinite().all()
    assert float(restricted_mean(logits)[0]) == pytest.approx(1.0)
