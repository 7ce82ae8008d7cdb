from __future__ import annotations

import numpy as np
import pytest
from sksurv.nonparametric import kaplan_meier_estimator

from ddrsa.survival.age_alone import constant_hazard, constant_hazard_nll, survival_by_age
from ddrsa.survival.pairs import concordance_of, pairs_of_equal_age

HORIZON = 12


def lives(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    life, leaves = rng.integers(5, 60, num), rng.integers(0, 90, num)
    return np.minimum(life, leaves).astype(float), life <= leaves


def test_survival_by_age_is_kaplan_meier_given_the_age() -> None:
    end, failed = lives(200)
    times, estimate = kaplan_meier_estimator(failed, end)

    def alive_after(age: float) -> float:
        at = np.searchsorted(times, age, side="right")
        return 1.0 if at == 0 else float(estimate[at - 1])

    ages = np.array([0.0, 7.0, 20.0])
    found = survival_by_age(end, failed, ages, HORIZON)
    for row, age in zip(found, ages, strict=True):
        expected = [alive_after(age + k) / alive_after(age - 1) for k in range(HORIZON)]
        np.testing.assert_allclose(row, expected, rtol=1e-12)
    # Older than any unit that was seen: there still is a forecast.
    beyond = survival_by_age(end, failed, np.array([500.0]), HORIZON)
    assert ((beyond > 0) & (beyond < 1)).all()


def test_the_constant_hazard_has_the_best_likelihood() -> None:
    rng = np.random.default_rng(1)
    tau = rng.geometric(0.05, 4000) - 1.0
    time, event = np.minimum(tau, HORIZON), tau < HORIZON
    event[::3] &= time[::3] < 4
    time[::3] = np.minimum(time[::3], 4)
    found = constant_hazard(time, event, HORIZON)
    assert found == pytest.approx(0.05, rel=0.1)
    losses = [constant_hazard_nll(found * factor, time, event, HORIZON).mean() for factor in (0.9, 1.0, 1.1)]
    assert min(losses) == losses[1]
    assert np.isnan(constant_hazard_nll(0.0, time, event, HORIZON)).all()


def test_concordance_at_equal_age_gives_the_age_no_credit() -> None:
    rng = np.random.default_rng(2)
    life = rng.integers(20, 60, 25)
    age = np.concatenate([np.arange(n + 1) for n in life]).astype(float)
    unit_life = np.repeat(life, life + 1)
    time, event = np.minimum(unit_life - age, HORIZON), unit_life - age < HORIZON
    number = np.repeat(np.arange(25), life + 1)

    def at_equal_age(predicted: np.ndarray) -> float:
        return concordance_of(pairs_of_equal_age(time, event, predicted, age, number))

    assert at_equal_age(-age) == 0.5
    assert at_equal_age(unit_life - age) == 1.0
    noisy = unit_life - age + rng.normal(0, 8, len(age))
    concordant = comparable = 0.0
    for i in np.flatnonzero(event):
        for j in np.flatnonzero((age == age[i]) & (time > time[i])):
            comparable += 1
            concordant += noisy[j] > noisy[i]
    assert at_equal_age(noisy) == pytest.approx(concordant / comparable)
