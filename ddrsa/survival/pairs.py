"""Concordant and comparable pairs of windows, counted by the units that they are of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


def pairs_by_unit(time: Floats, event: Bools, predicted: Floats, number: Integers) -> tuple[Floats, Floats]:
    """How many pairs are concordant, and how many comparable, (U, U) each: [the unit that fails first, the other].

    The sums over all units are those of Harrell's index (`concordance_index`, whose arguments these are).

    number: (n,) the unit of each window, from 0, in ascending order.
    """
    num_units = int(number.max()) + 1 if len(number) else 0
    starts = np.searchsorted(number, np.arange(num_units))
    concordant, comparable = np.zeros((num_units, num_units)), np.zeros((num_units, num_units))
    for t in np.unique(time[event]):
        shorter = np.flatnonzero((time == t) & event)
        longer = (time > t) | ((time == t) & ~event)
        right = (predicted[None, :] > predicted[shorter, None]) + 0.5 * (predicted[None, :] == predicted[shorter, None])
        np.add.at(concordant, number[shorter], np.add.reduceat(right * longer, starts, axis=1))
        np.add.at(comparable, number[shorter], np.add.reduceat(longer.astype(np.float64), starts)[None, :])
    return concordant, comparable
