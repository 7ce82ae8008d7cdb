"""The expected calibration errors of resampled units."""

from __future__ import annotations

import numpy as np

from ddrsa.survival.calibration.measures import NUM_BINS, Bools, Floats, Integers, windows_of


def resampled_errors(
    survival: Floats, time: Floats, event: Bools, number: Integers, weights: Floats
) -> dict[str, Floats]:
    """(B,) each: `horizon`, `half_horizon` and `quarter_horizon` of `calibration_errors`, and the `event_share`.

    The mean distance of shares that are drawn is greater than that of the shares themselves, as each draw adds its own
    noise: these values lie somewhat above the error of the units as they are.

    Args: as of `reliability`; number: (n,) the unit of each window, from 0. weights: (B, U) how often each is drawn.
    """
    horizon = survival.shape[1]
    windows = windows_of(horizon)
    errors = []
    for window in windows:
        predicted = 1 - survival[:, window - 1]
        bins = np.minimum((predicted * NUM_BINS).astype(np.int64), NUM_BINS - 1)
        distances, total = np.zeros(len(weights)), np.zeros(len(weights))
        for inside in (bins == value for value in np.unique(bins)):
            of_unit = number[inside], weights.shape[1]
            count = weights @ np.bincount(of_unit[0], minlength=of_unit[1])
            forecast = weights @ np.bincount(of_unit[0], weights=predicted[inside], minlength=of_unit[1])
            observed = resampled_failures(time[inside], event[inside], window, number[inside], weights)
            distances += np.abs(observed * count - forecast)
            total += count
        errors.append(np.divide(distances, total, out=np.full(len(total), np.nan), where=total > 0))
    return {
        "horizon": errors[-1],
        "half_horizon": errors[max(len(errors) - 2, 0)],
        "quarter_horizon": errors[0],
        "event_share": resampled_failures(time, event, horizon, number, weights),
    }


def resampled_failures(time: Floats, event: Bools, window: int, number: Integers, weights: Floats) -> Floats:
    """(B,) `observed_failures` of the windows for each row of `weights` (B, U)."""
    num_units = weights.shape[1]
    place = number * (window + 1)
    # (U, window + 1) of each unit, how many windows leave at each step, the rest at the end, and how many fail there.
    at = np.minimum(time, window).astype(np.int64)
    size = num_units * (window + 1)
    leave = np.bincount(place + at, minlength=size).reshape(num_units, -1)
    fail = np.bincount((place + at)[event & (time < window)], minlength=size).reshape(num_units, -1)
    staying = leave[:, ::-1].cumsum(1)[:, ::-1][:, :window]
    # At a step where no unit has a failure nothing is multiplied.
    steps = np.flatnonzero(fail.any(0))
    # As float64 in the order of memory, or numpy multiplies them without BLAS.
    at_risk = weights @ np.ascontiguousarray(staying[:, steps], np.float64)
    failed = weights @ np.ascontiguousarray(fail[:, steps], np.float64)
    surviving = np.divide(at_risk - failed, at_risk, out=np.ones_like(failed), where=at_risk > 0)
    return np.asarray(1 - np.prod(surviving, axis=1))
