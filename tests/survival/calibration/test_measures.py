from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare, kstest
from sksurv.nonparametric import kaplan_meier_estimator

from ddrsa.survival.calibration.measures import (
    bin_masses,
    d_calibration,
    observed_failures,
    reliability,
    survival_at_event,
)


def haider_by_hand(probability: float, event: bool, num_bins: int = 10) -> np.ndarray:
    """How one subject counts in the bins (Haider et al., equation 12 and below), straight from the text."""
    counts = np.zeros(num_bins)
    own = min(int(probability * num_bins), num_bins - 1)
    if event:
        counts[own] = 1
    else:
        counts[own] = (probability - own / num_bins) / probability
        counts[:own] = 1 / (num_bins * probability)
    return counts


@pytest.mark.parametrize("probability", [0.03, 0.1, 0.25, 0.5, 0.77, 1.0])
def test_masses_of_one_subject_as_in_the_paper(probability: float) -> None:
    point = np.array([probability])
    np.testing.assert_allclose(bin_masses(np.zeros(1), point)[0], haider_by_hand(probability, False), atol=1e-12)
    np.testing.assert_allclose(bin_masses(point, point)[0], haider_by_hand(probability, True), atol=1e-12)


def test_where_the_survival_at_the_event_lies() -> None:
    survival = np.array([[0.9, 0.6, 0.2]] * 5)
    time = np.array([0.0, 2, 3, 1, 0])
    event = np.array([True, True, False, False, False])
    lower, upper = survival_at_event(survival, time, event)
    # At once; at 2; after the horizon; censored, known to survive 1; and 0.
    np.testing.assert_array_equal(lower, [0.9, 0.2, 0, 0, 0])
    np.testing.assert_array_equal(upper, [1.0, 0.6, 0.2, 0.6, 0.9])


def test_statistic_of_independent_windows_is_the_chi_square_of_the_counts() -> None:
    rng = np.random.default_rng(0)
    n, horizon = 500, 2000
    # In so many steps each event lies in one bin: 1 - S is even over the horizon, and tau is drawn from it or not.
    survival = np.tile(1 - np.arange(1, horizon + 1) / horizon, (n, 1))
    for power in (1.0, 1.3):
        tau = np.floor(rng.random(n) ** power * horizon)
        result = d_calibration(survival, tau, np.ones(n, bool), np.arange(n))
        counts = np.histogram(1 - (tau + 0.5) / horizon, bins=10, range=(0, 1))[0]
        expected = chisquare(counts)
        np.testing.assert_allclose(np.array(result["bins"]) * n, counts, atol=1e-6)
        assert result["statistic"] == pytest.approx(expected.statistic)
        assert result["p_value_independent"] == pytest.approx(expected.pvalue)
        assert result["design_effect"] == pytest.approx(1, abs=0.15)
        assert (result["p_value"] < 0.01) == (expected.pvalue < 0.01) == (power != 1.0)


def fleet_of_true_forecasts(
    rng: np.random.Generator, num_units: int, slope: float = 1.0, horizon: int = 25
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each unit's life has a Weibull law of its own scale, which its forecasts know (`slope` 1); every row is a window.

    A fifth of the units is watched for a time that was set before, and censored where they outlive it.
    """
    survival, time, event, unit = [], [], [], []
    steps = np.arange(horizon)
    for number in range(num_units):
        scale = rng.uniform(20, 60)
        life = int(np.ceil(scale * rng.weibull(2.0)))
        watched = int(rng.integers(5, 60)) if number % 5 == 4 else life
        failed = life <= watched
        last = life if failed else watched
        ages = np.arange(1, last + 1)
        # P(life > age + k | life >= age), in whole cycles.
        exponent = ((ages[:, None] + steps) / scale) ** 2 - ((ages[:, None] - 1) / scale) ** 2
        survival.append(np.exp(-slope * exponent))
        time.append(np.minimum(last - ages, horizon))
        event.append(failed & (last - ages < horizon))
        unit.append(np.full(last, number))
    return np.concatenate(survival), np.concatenate(time).astype(float), np.concatenate(event), np.concatenate(unit)


def test_p_value_holds_where_windows_of_a_unit_depend_on_each_other() -> None:
    rng = np.random.default_rng(1)
    corrected, naive = [], []
    for _ in range(300):
        result = d_calibration(*fleet_of_true_forecasts(rng, 40))
        corrected.append(result["p_value"])
        naive.append(result["p_value_independent"])
    # A true forecast is refused at 5 % in about 5 % of the fleets, where the naive test refuses most of them.
    assert np.mean(np.array(corrected) < 0.05) < 0.12
    assert kstest(corrected, "uniform").statistic < 0.2
    assert np.mean(np.array(naive) < 0.05) > 0.5


def test_wrong_forecasts_are_refused() -> None:
    rng = np.random.default_rng(2)
    result = d_calibration(*fleet_of_true_forecasts(rng, 60, slope=0.4))
    assert result["p_value"] < 0.01


def test_one_unit_and_no_window() -> None:
    survival = np.array([[0.5, 0.2]])
    one = d_calibration(survival, np.array([1.0]), np.array([True]), np.array([3]))
    assert (one["p_value"], one["design_effect"]) == (None, None)
    assert sum(one["bins"]) == pytest.approx(1)
    none = d_calibration(survival[:0], np.empty(0), np.empty(0, bool), np.empty(0, int))
    assert (none["statistic"], none["bins"]) == (None, [])


def test_observed_failures_is_kaplan_meier() -> None:
    rng = np.random.default_rng(3)
    time, event = rng.integers(0, 30, 300).astype(float), rng.random(300) < 0.6
    times, probability = kaplan_meier_estimator(event, time)
    for window in (1, 10, 25):
        expected = 1 - probability[times < window][-1]
        assert observed_failures(time, event, window) == pytest.approx(expected)


def test_reliability_of_forecasts_that_are_true_and_that_are_not() -> None:
    rng = np.random.default_rng(4)
    n, horizon = 30_000, 20
    hazard = rng.uniform(0.005, 0.3, n)
    survival = (1 - hazard[:, None]) ** np.arange(1, horizon + 1)
    tau = rng.geometric(hazard) - 1
    time, event = np.minimum(tau, horizon).astype(float), tau < horizon
    for entry in reliability(survival, time, event):
        assert entry["expected_calibration_error"] < 0.02
        assert sum(b["num_windows"] for b in entry["bins"]) == n
        for one in entry["bins"]:
            assert one["observed"] == pytest.approx(one["predicted"], abs=0.06)
    assert [entry["window"] for entry in reliability(survival, time, event)] == [5, 10, 20]
    assert reliability(survival**0.3, time, event)[2]["expected_calibration_error"] > 0.1
