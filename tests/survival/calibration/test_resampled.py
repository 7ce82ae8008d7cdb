from __future__ import annotations

import numpy as np
import pytest

from ddrsa.survival.calibration.measures import calibration_errors, observed_failures, reliability
from ddrsa.survival.calibration.resampled import resampled_errors


@pytest.mark.parametrize("censored", [False, True])
def test_the_errors_of_a_draw_are_those_of_the_units_that_were_drawn(censored: bool) -> None:
    rng = np.random.default_rng(0)
    horizon, number = 12, np.repeat(np.arange(7), rng.integers(20, 60, 7))
    hazards = rng.uniform(0, 0.2, (len(number), 1)) * rng.uniform(0, 1, (len(number), horizon))
    survival = np.cumprod(1 - hazards, axis=1).astype(np.float64)
    tau = rng.integers(0, 20, len(number))
    time, event = np.minimum(tau, horizon).astype(float), tau < horizon
    if censored:
        event &= ~np.isin(number, [1, 4])
    drawn = np.array([6, 6, 0, 1, 4, 4, 2])
    weights = np.stack([np.bincount(drawn, minlength=7), np.ones(7)]).astype(float)
    found = resampled_errors(survival, time, event, number, weights)
    rows = np.concatenate([np.flatnonzero(number == unit) for unit in drawn])
    for place, chosen in enumerate((rows, np.arange(len(number)))):
        expected = calibration_errors(reliability(survival[chosen], time[chosen], event[chosen]))
        for name, error in expected.items():
            assert found[name][place] == pytest.approx(error, abs=1e-12)
        share = observed_failures(time[chosen], event[chosen], horizon)
        assert found["event_share"][place] == pytest.approx(share, abs=1e-12)
