from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from ddrsa.survival.calibration.correction import Calibration, exact_correction, log_odds, with_log_odds
from ddrsa.survival.calibration.fit import NUM_FOLDS, SPREAD, FittingWindows
from ddrsa.survival.hazard import survival
from ddrsa.survival.losses import negative_log_likelihood

HORIZON = 12


def windows(num: int, censored: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """True forecasts (N, L), and the time that is seen, whether it is that of the event, and the unit; four a unit."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(-2.5, 1.0, (num, 1)) + rng.normal(0, 0.7, (num, HORIZON)))
    alive = survival(logits).numpy()
    tau = (rng.uniform(size=(num, 1)) < alive).sum(1).astype(np.float64)
    last_seen = np.where(rng.uniform(size=num) < censored, rng.integers(0, HORIZON, num), 10 * HORIZON)
    seen = tau <= last_seen
    time = np.where(seen, np.where(tau < HORIZON, tau, HORIZON + 5), last_seen)
    unit = np.arange(num) // 4
    return logits, torch.from_numpy(time), torch.from_numpy(seen), torch.from_numpy(unit)


@pytest.mark.parametrize("censored", [0.0, 0.6])
def test_the_fit_undoes_a_distortion(censored: float) -> None:
    logits, time, seen, unit = windows(20_000, censored)
    distorted = Calibration("fitted", offset=1.2, slope=1.6)(logits)
    found = FittingWindows(distorted, time, seen, unit).fit(Calibration())
    assert found.method == "fitted"
    assert found.slope == pytest.approx(1 / 1.6, rel=0.05)
    assert found.offset == pytest.approx(-1.2 / 1.6, abs=0.08)


@pytest.mark.parametrize("censored", [0.0, 0.6])
def test_the_fit_is_the_mode_of_the_posterior(censored: float) -> None:
    logits, time, seen, unit = windows(400, censored)
    theory = exact_correction(0.75)
    distorted = Calibration("fitted", offset=2.0, slope=1.3)(logits)

    def posterior(offset: float, slope: float) -> float:
        """Up to a constant, of 100 units that each say as much as one window."""
        nll = negative_log_likelihood(Calibration("fitted", offset, slope)(distorted), time, seen).mean()
        before = norm.logpdf(offset, theory.offset, SPREAD[0]) + norm.logpdf(slope, theory.slope, SPREAD[1])
        return float(100 * nll - before)

    found = FittingWindows(distorted, time, seen, unit).fit(theory)
    best = posterior(found.offset, found.slope)
    steps = np.linspace(-0.5, 0.5, 5)
    around = [posterior(found.offset + a, found.slope * np.exp(b)) for a in steps for b in steps]
    assert best == pytest.approx(min(around), abs=1e-4)
    assert max(around) > best + 0.1


def test_few_units_stay_near_the_theory_and_many_do_not() -> None:
    logits, time, seen, unit = windows(4000, 0.0)
    theory = exact_correction(0.75)
    # The forecasts are true already: theory is wrong of them by a factor of 4.
    found = [FittingWindows(logits[:n], time[:n], seen[:n], unit[:n]).fit(theory).offset for n in (8, 80, 800, 4000)]
    assert theory.offset < found[0] < found[-1] < 0.1
    assert abs(found[-1]) < 0.15
    assert found[0] < 0.8 * theory.offset


def test_out_of_fold_each_unit_is_corrected_by_the_others() -> None:
    logits, time, seen, unit = windows(80, 0.3)
    found = FittingWindows(logits, time, seen, unit).out_of_fold(Calibration())
    for fold in range(NUM_FOLDS):
        inside = unit % NUM_FOLDS == fold
        others = FittingWindows(logits[~inside], time[~inside], seen[~inside], unit[~inside]).fit(Calibration())
        torch.testing.assert_close(found[inside], others(logits[inside]))
    # What becomes of a unit has no part in its own correction.
    spoiled = torch.where(unit == 3, torch.zeros_like(time), time)
    again = FittingWindows(logits, spoiled, seen | (unit == 3), unit).out_of_fold(Calibration())
    torch.testing.assert_close(again[unit == 3], found[unit == 3])
    assert not torch.allclose(again[unit == 4], found[unit == 4])


def test_what_the_units_cannot_tell_is_left_to_theory() -> None:
    logits, time, seen, unit = windows(40, 0.0)
    theory = exact_correction(0.75)
    nothing_fails = FittingWindows(logits, torch.full_like(time, 99), torch.ones_like(seen), unit).fit(theory)
    everything_fails = FittingWindows(logits, torch.zeros_like(time), torch.ones_like(seen), unit).fit(theory)
    assert nothing_fails == everything_fails == theory
    alone = FittingWindows(logits[:4], time[:4], seen[:4], unit[:4]).out_of_fold(theory)
    torch.testing.assert_close(alone, theory(logits[:4]))


def test_forecasts_in_float32_stay_so() -> None:
    logits, time, seen, unit = windows(40, 0.2)
    found = FittingWindows(logits.float(), time.float(), seen, unit).out_of_fold(Calibration())
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        with_log_odds(logits.float(), torch.zeros(40), log_odds(logits.float())).sum(),
        with_log_odds(logits, torch.zeros(40), log_odds(logits)).sum().float(),
    )
