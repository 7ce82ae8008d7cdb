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


def without_ties(seed: int, n: int, censored: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    tau = rng.uniform(0, 1.5 * HORIZON, n)
    leaves = np.where(rng.random(n) < censored, rng.uniform(0, HORIZON, n), np.inf)
    time = np.minimum(np.minimum(tau, leaves), HORIZON)
    return time, (tau <= leaves) & (tau < HORIZON), tau + rng.normal(0, 5, n)


@pytest.mark.parametrize("censored", [0.0, 0.4])
def test_brier_score_as_in_scikit_survival(censored: float) -> None:
    time, event, predicted = without_ties(4, 800, censored)
    train_time, train_event, _ = without_ties(5, 900, censored)
    steps = np.arange(HORIZON, dtype=float)
    survival = 1 / (1 + np.exp((steps - predicted[:, None]) / 3))
    _, expected = sksurv_brier_score(
        Surv.from_arrays(train_event, train_time), Surv.from_arrays(event, time), survival[:, 1:], steps[1:]
    )
    censoring = metrics.CensoringDistribution.fit(train_time, train_event)
    scores = metrics.brier_score(time, event, survival, censoring)
    np.testing.assert_allclose(scores[1:], expected, atol=1e-12)
    integrated = metrics.integrated_brier_score(time, event, survival, censoring)
    assert integrated == pytest.approx(np.trapezoid(scores, steps) / (HORIZON - 1))


def test_nothing_is_counted_beyond_the_follow_up() -> None:
    time, event = np.array([4.0, 8, 12, 15, 20, 20]), np.array([1, 1, 0, 1, 0, 0], bool)
    half = np.full((6, 64), 0.5)  # a Brier score of 0.25, whatever becomes of the subjects
    scores = metrics.brier_score(time, event, half, metrics.CensoringDistribution.fit(time, event))
    np.testing.assert_allclose(scores[:21], 0.25)
    assert np.isnan(scores[21:]).all()
    censoring = metrics.CensoringDistribution.fit(time, event)
    assert metrics.integrated_brier_score(time, event, half, censoring) == pytest.approx(0.25)


@pytest.mark.parametrize("censored", [0.3, 0.66])
def test_windows_are_weighed_by_the_censoring_of_their_units(censored: float) -> None:
    rng = np.random.default_rng(7)
    ratios = []
    for _ in range(6):
        life = np.ceil(60 * rng.weibull(3, 400)).astype(int)
        leaves = np.where(rng.random(400) < censored, rng.integers(0, 90, 400), 10_000)
        failed = life <= leaves
        end = np.minimum(life, leaves)
        censoring = metrics.CensoringDistribution.fit(end.astype(float), failed)
        age = np.concatenate([np.arange(n + 1) for n in end]).astype(float)
        unit = np.repeat(np.arange(400), end + 1)
        true = np.minimum(life[unit] - age, HORIZON)
        known = np.minimum(end[unit] - age, HORIZON)
        outlived = known >= np.where(failed[unit], HORIZON, HORIZON - 1)
        time, event = np.where(outlived, HORIZON, known), failed[unit] & ~outlived
        alive = np.exp(
            -(((age[:, None] + np.arange(HORIZON)) / 60) ** 3) + ((np.maximum(age[:, None] - 1, 0)) / 60) ** 3
        )
        everything_seen = metrics.CensoringDistribution(np.zeros(1), np.ones(1))
        oracle = metrics.integrated_brier_score(true, true < HORIZON, alive, everything_seen)
        ratios.append(metrics.integrated_brier_score(time, event, alive, censoring, age) / oracle)
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


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
