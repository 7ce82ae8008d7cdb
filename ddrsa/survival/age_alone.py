"""Forecasts that no sensor is needed for: from the age of a unit alone, and from one constant hazard."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def survival_by_age(end: Floats, failed: Bools, age: Floats, horizon: int) -> Floats:
    """S[k] = P(tau > k | alive at the age), (n, L), by the Kaplan-Meier estimate of the lives of U units.

    Beyond the oldest age, of which the lives tell nothing, as many fail as in the mean at any age.

    Args:
        end: (U,) the age of the last row of each unit, from 0. failed: (U,) whether it failed there.
        age: (n,) of the windows, from 0.
    """
    oldest = int(end.max())
    failures = np.bincount(end[failed].astype(np.int64), minlength=oldest + 1).astype(np.float64)
    at_risk = np.bincount(end.astype(np.int64), minlength=oldest + 1)[::-1].cumsum()[::-1].astype(np.float64)
    hazard = np.append(failures / at_risk, failures.sum() / at_risk.sum())
    # At the oldest age all that are left fail, by the estimate; a unit that grows as old need not.
    hazard = np.minimum(hazard, 0.5)
    at = np.minimum(age.astype(np.int64)[:, None] + np.arange(horizon), oldest + 1)
    return np.asarray(np.cumprod(1 - hazard[at], axis=1))


def constant_hazard(time: Floats, event: Bools, horizon: int) -> float:
    """The hazard that fits n windows best by their likelihood: events per step at risk. Arguments as of the metrics."""
    at_risk = np.where(event, time + 1, np.minimum(time + 1, horizon)).sum()
    return float(event.sum() / at_risk)


def constant_hazard_nll(hazard: float, time: Floats, event: Bools, horizon: int) -> Floats:
    """The negative log-likelihood of n windows by one hazard for all steps, (n,); NaN where it says impossible."""
    survived = np.where(event, time, np.minimum(time + 1, horizon))
    if not 0 < hazard < 1:
        return np.full(len(time), np.nan)
    return np.asarray(-(event * np.log(hazard) + survived * np.log1p(-hazard)))
