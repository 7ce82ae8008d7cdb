import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sksurv.metrics import brier_score as sksurv_brier_score
from sksurv.metrics import concordance_index_censored, concordance_index_ipcw
from sksurv.nonparametric import CensoringDistributionEstimator
from sksurv.util import Surv

from ddrsa.survival import metrics

HORIZON = 20


def subjects(seed: int, n: int, censored: float, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times min(tau, horizon), events, and predictions that are somewhat right."""
    rng = np.random.default_rng(seed)
    tau = rng.integers(0, int(1.5 * HORIZON), n).astype(float)
    leaves = np.where(rng.random(n) < censored, rng.integers(0, HORIZON, n), np.inf)
    time = np.minimum(np.minimum(tau, leaves), HORIZON)
    event = (tau <= leaves) & (tau < HORIZON)
    predicted = tau + rng.normal(0, 5, n)
    return time, event, predicted.round() if ties else predicted


def concordance_by_pairs(time: np.ndarray, event: np.ndarray, predicted: np.ndarray) -> float:
    concordant = comparable = 0.0
    for i in range(len(time)):
        for j in range(len(time)):
            if event[i] and (time[j] > time[i] or (time[j] == time[i] and not event[j])):
                comparable += 1
                concordant += 1.0 if predicted[j] > predicted[i] else 0.5 if predicted[j] == predicted[i] else 0.0
    return concordant / comparable if comparable else float("nan")


@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0, 1), st.booleans())
@settings(max_examples=60)
def test_harrell_by_all_pairs(seed: int, n: int, censored: float, ties: bool) -> None:
    time, event, predicted = subjects(seed, n, censored, ties)
    expected = concordance_by_pairs(time, event, predicted)
    assert metrics.concordance_index(time, event, predicted) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("censored", [0.0, 0.4])
@pytest.mark.parametrize("ties", [False, True])
def test_concordance_as_in_scikit_survival(censored: float, ties: bool) -> None:
    time, event, predicted = subjects(1, 1500, censored, ties)
    expected = concordance_index_censored(event, time, -predicted)[0]
    assert metrics.concordance_index(time, event, predicted) == pytest.approx(expected, abs=1e-12)

    train_time, train_event, _ = subjects(2, 900, censored)
    censoring = metrics.CensoringDistribution.fit(train_time, train_event)
    expected = concordance_index_ipcw(
        Surv.from_arrays(train_event, train_time), Surv.from_arrays(event, time), -predicted, tau=HORIZON - 0.5
    )[0]
    assert metrics.concordance_index(time, event, predicted, censoring) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("censored", [0.0, 0.4])
def test_censoring_distribution_as_in_scikit_survival(censored: float) -> None:
    time, event, _ = subjects(3, 700, censored)
    expected = CensoringDistributionEstimator().fit(Surv.from_arrays(event, time))
    steps = np.arange(HORIZON, dtype=float)
    np.testing.assert_allclose(
        metrics.CensoringDistribution.fit(time, event)(steps), expected.predict_proba(steps), atol=1e-12
    )


@pytest.mark.parametrize("censored", [0.0, 0.4])
def test_brier_score_as_in_scikit_survival(censored: float) -> None:
    time, event, predicted = subjects(4, 800, censored)
    train_time, train_event, _ = subjects(5, 900, censored)
    steps = np.arange(HORIZON, dtype=float)
    survival = 1 / (1 + np.exp((steps - predicted[:, None]) / 3))
    _, expected = sksurv_brier_score(
        Surv.from_arrays(train_event, train_time), Surv.from_arrays(event, time), survival, steps
    )
    censoring = metrics.CensoringDistribution.fit(train_time, train_event)
    np.testing.assert_allclose(metrics.brier_score(time, event, survival, censoring), expected, atol=1e-12)
    integrated = metrics.integrated_brier_score(time, event, survival, censoring)
    assert integrated == pytest.approx(np.trapezoid(expected, steps) / (HORIZON - 1))


def test_perfect_forecasts() -> None:
    time, event, _ = subjects(6, 300, 0.0)
    censoring = metrics.CensoringDistribution.fit(time, event)
    survival = (time[:, None] > np.arange(HORIZON)).astype(float)
    assert metrics.concordance_index(time, event, time) == 1.0
    assert metrics.integrated_brier_score(time, event, survival, censoring) == 0.0


def test_nothing_to_compare_is_nan() -> None:
    time, event = np.array([5.0, 5.0]), np.array([False, False])
    assert np.isnan(metrics.concordance_index(time, event, time))
    assert np.isnan(metrics.mean_absolute_error(time[:0], time[:0]))


def test_point_errors() -> None:
    predicted, true = np.array([0.0, 10.0, 20.0]), np.array([13.0, 10.0, 10.0])
    assert metrics.mean_absolute_error(predicted, true) == pytest.approx(23 / 3)
    assert metrics.root_mean_squared_error(predicted, true) == pytest.approx(np.sqrt(269 / 3))
    assert metrics.nasa_score(predicted, true) == pytest.approx(2 * (np.e - 1))
