"""Measures of calibration: D-calibration with its test, reliability and its expected error.

D-calibration: Haider, Hoehn, Davis, Greiner, "Effective Ways to Build and Evaluate Individual Survival Distributions",
JMLR 21 (2020). The test for windows that are not independent: Rao and Scott, "On Chi-Squared Tests for Multiway
Contingency Tables with Cell Proportions Estimated from Survey Data", Annals of Statistics 12 (1984), with the F
reference of Thomas and Rao, JASA 82 (1987).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

NUM_BINS = 10


def survival_at_event(survival: Floats, time: Floats, event: Bools) -> tuple[Floats, Floats]:
    """Bounds of the survival probability of the true time to event: (n,) lower and (n,) upper end.

    Under a true forecast the survival function at the time of the event is uniform on (0, 1). Time goes in whole
    cycles, so an event at tau leaves it between S[tau] and S[tau - 1]; a window that is known to survive c leaves it
    between 0 and S[c], and one that survives the horizon, between 0 and S[L - 1].

    Args:
        survival: (n, L) forecast S[k] = P(tau > k).
        time: (n,) min(tau, L), or for a censored window min(c, L). event: (n,) tau < L and seen.
    """
    horizon = survival.shape[1]
    at = np.minimum(time, horizon - 1).astype(np.int64)
    rows = np.arange(len(time))
    s = survival[rows, at]
    before = np.where(at > 0, survival[rows, at - 1], 1.0)
    return np.where(event, s, 0.0), np.where(event, before, s)


def bin_masses(lower: Floats, upper: Floats, num_bins: int = NUM_BINS) -> Floats:
    """(n, num_bins) how the mass 1 of each window, spread evenly from lower to upper, falls into equal bins of [0, 1].

    This is the rule of Haider et al. for censored subjects, used for events too, whose bin is known but for one cycle.
    """
    edges = np.linspace(0, 1, num_bins + 1)
    width = upper - lower
    # An interval without a width is a point, and that lies in one bin.
    point = width < 1e-9
    overlap = np.minimum(upper[:, None], edges[1:]) - np.maximum(lower[:, None], edges[:-1])
    masses = np.clip(overlap, 0, None) / np.where(point, 1, width)[:, None]
    masses[point] = 0
    masses[point, np.minimum((upper[point] * num_bins).astype(np.int64), num_bins - 1)] = 1
    return masses


def d_calibration(survival: Floats, time: Floats, event: Bools, unit: Integers) -> dict[str, Any]:
    """Compare the shares of the bins of S(tau) with the even shares of a calibrated forecast.

    The windows of one unit share its one failure, so they are not independent, and the windows that are spread over
    several bins vary less than counts do. The Pearson statistic is therefore corrected by the design effect (Rao and
    Scott, second order), estimated from the unit to unit variation: units are taken as independent, windows are not.

    Args: as `survival_at_event`; unit: (n,) the unit of each window.

    Returns:
        statistic: Pearson's, over all windows. design_effect: by how much more the bins vary than those of independent
        windows. p_value: of the corrected statistic. p_value_independent: as if all windows were independent, which is
        the test of Haider et al. and far too small here. bins: the share of each bin, from S in [0, 0.1] up to
        [0.9, 1]; 0.1 each is calibrated. All but the bins are None with fewer than two units.
    """
    masses = bin_masses(*survival_at_event(survival, time, event))
    n = len(masses)
    if not n:
        return dict.fromkeys(("statistic", "design_effect", "p_value", "p_value_independent")) | {"bins": []}
    shares = masses.mean(axis=0)
    expected = 1 / NUM_BINS
    statistic = float(n * ((shares - expected) ** 2 / expected).sum())
    _, number = np.unique(unit, return_inverse=True)
    num_units = int(number.max()) + 1
    result: dict[str, Any] = {"statistic": statistic, "design_effect": None, "p_value": None}
    if num_units > 1:
        result |= _rao_scott(statistic, masses - shares, number, num_units)
    result["p_value_independent"] = float(chdtrc(NUM_BINS - 1, statistic))
    return {**result, "bins": shares.tolist()}


def _rao_scott(statistic: float, residuals: Floats, number: Integers, num_units: int) -> dict[str, float]:
    """residuals: (n, bins), of each window; number: (n,) of its unit, from 0."""
    of_unit = np.zeros((num_units, residuals.shape[1]))
    np.add.at(of_unit, number, residuals)
    covariance = num_units / (num_units - 1) * of_unit.T @ of_unit
    # The generalised design effects: the covariance of the shares times the inverse of the multinomial one, which on
    # shares that sum to one is n bins I.
    effects = covariance * residuals.shape[1] / len(residuals)
    degrees = residuals.shape[1] - 1
    mean = float(np.trace(effects)) / degrees
    if mean == 0:
        return {"design_effect": 0.0, "p_value": 0.0 if statistic > 0 else 1.0}
    # Satterthwaite: 1 + a^2, a the coefficient of variation of the design effects.
    inflation = float((effects**2).sum()) / (degrees * mean**2)
    reduced = degrees / inflation
    p_value = float(fdtrc(reduced, reduced * (num_units - 1), statistic / (mean * inflation) / reduced))
    return {"design_effect": mean, "p_value": p_value}


def observed_failures(time: Floats, event: Bools, window: int) -> float:
    """1 - the Kaplan-Meier estimate of P(tau >= window), from n windows; the share of failures where none is censored.

    time: (n,) min(tau, L), or for a censored window min(c, L), which is known to survive c. event: (n,).
    """
    steps = np.arange(window)
    failed = np.bincount(time[event & (time < window)].astype(np.int64), minlength=window)
    at_risk = len(time) - np.searchsorted(np.sort(time), steps, side="left")
    hazard = np.divide(failed, at_risk, out=np.zeros(window), where=at_risk > 0)
    return float(1 - np.prod(1 - hazard))


def windows_of(horizon: int) -> list[int]:
    """The windows in which failures are counted: a quarter of the horizon, half of it and all of it, in cycles."""
    return sorted({max(1, horizon // 4), max(1, horizon // 2), horizon})


def reliability(survival: Floats, time: Floats, event: Bools) -> list[dict[str, Any]]:
    """The forecast probability of failing within w cycles against the share that does, for three windows w.

    w is a quarter of the horizon, half of it, and all of it. The forecasts lie in ten bins of equal width.

    Returns:
        for each w: `window`; `bins`, for each that is not empty the mean forecast `predicted`, the share `observed`
        (Kaplan-Meier) and `num_windows`; `expected_calibration_error`, the mean |observed - predicted| over windows.
    """
    horizon = survival.shape[1]
    result = []
    for window in windows_of(horizon):
        predicted = 1 - survival[:, window - 1]
        number = np.minimum((predicted * NUM_BINS).astype(np.int64), NUM_BINS - 1)
        bins = []
        for inside in (number == value for value in np.unique(number)):
            observed = observed_failures(time[inside], event[inside], window)
            bins.append(
                {
                    "predicted": float(predicted[inside].mean()),
                    "observed": observed,
                    "num_windows": int(inside.sum()),
                }
            )
        error = sum(abs(b["observed"] - b["predicted"]) * b["num_windows"] for b in bins) / max(len(time), 1)
        result.append({"window": window, "expected_calibration_error": float(error), "bins": bins})
    return result


def calibration_errors(curves: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The expected calibration errors of `reliability`: `horizon`, `half_horizon` and `quarter_horizon`.

    A horizon of less than four steps has fewer windows: the shortest then stands for those that are missing.
    """
    errors = [float(curve["expected_calibration_error"]) for curve in curves]
    return {"horizon": errors[-1], "half_horizon": errors[max(len(errors) - 2, 0)], "quarter_horizon": errors[0]}
