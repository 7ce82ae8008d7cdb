"""Operating conditions of an engine, found from its three settings (altitude, Mach number, throttle)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddrsa.errors import ConfigError

# The largest settings in C-MAPSS: 42 kft, Mach 0.84, throttle resolver angle 100.
SETTING_UNITS: NDArray[np.float64] = np.array([42.0, 0.84, 100.0])

# In these units the settings vary by less than 0.003 within a condition of C-MAPSS, and its two closest conditions
# (35 and 42 kft at the same Mach number and throttle) are 0.17 apart.
TOLERANCE = 0.05

# C-MAPSS has six. Many more mean that the settings vary freely, and that standard scores within each say nothing.
MAX_CONDITIONS = 32


def find_conditions(settings: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean settings (C, 3) of the operating conditions in N rows of `settings` (N, 3), sorted.

    Rows that differ by less than `TOLERANCE` from the first that is not yet in a condition form the next one.
    Raises ConfigError where there are more than `MAX_CONDITIONS`.
    """
    remaining = settings
    centres: list[NDArray[np.float64]] = []
    while len(remaining):
        near = _distance(remaining, remaining[:1])[:, 0] < TOLERANCE
        centres.append(remaining[near].mean(axis=0))
        remaining = remaining[~near]
        if len(centres) > MAX_CONDITIONS:
            raise ConfigError(
                f"dataset.scaling is 'condition', but the settings have more than {MAX_CONDITIONS} operating "
                "conditions; use minmax or standard"
            )
    return np.array(sorted(centres, key=tuple))


def nearest_condition(settings: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) the index of the centre (C, 3) that is nearest to each row of `settings` (N, 3)."""
    return np.asarray(_distance(settings, centres).argmin(axis=1))


def _distance(settings: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, C) Euclidean distances in `SETTING_UNITS`."""
    difference = (settings[:, None] - centres[None]) / SETTING_UNITS
    return np.asarray(np.sqrt((difference**2).sum(axis=2)))
