"""Concordant and comparable pairs of windows, counted by the units that they are of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


def pairs_by_unit(
    time: Floats, event: Bools, predicted: Floats, number: Integers, weight: Callable[[float], float] | None = None
) -> tuple[Floats, Floats]:
    """How many pairs are concordant, and how many comparable, (U, U) each: [the unit that fails first, the other].

    The sums over all units are those of `concordance_index`, whose arguments these are. O(distinct times n log n).

    number: (n,) the unit of each window, from 0. weight: of a pair by the shorter time; None: 1.
    """
    (pairs,) = weighted_pairs(time, event, predicted, number, [weight])
    return pairs


def weighted_pairs(
    time: Floats, event: Bools, predicted: Floats, number: Integers, weights: Sequence[Callable[[float], float] | None]
) -> list[tuple[Floats, Floats]]:
    """The result of `pairs_by_unit` with each of `weights`."""
    num_units = int(number.max()) + 1 if len(number) else 0
    sums = [(np.zeros((num_units, num_units)), np.zeros((num_units, num_units))) for _ in weights]
    for t in np.unique(time[event]):
        of_pairs = [1.0 if weight is None else weight(float(t)) for weight in weights]
        if not any(of_pairs):
            continue
        shorter = np.flatnonzero((time == t) & event)
        shorter = shorter[np.argsort(predicted[shorter], kind="stable")]
        longer = (time > t) | ((time == t) & ~event)
        others = number[longer]
        ranks = [np.searchsorted(predicted[shorter], predicted[longer], side=side) for side in ("left", "right")]
        # A longer window of rank r is predicted above the first r of the shorter ones; equal predictions count half.
        right = np.zeros((len(shorter) + 1, num_units))
        for rank in ranks:
            right += 0.5 * np.bincount(rank * num_units + others, minlength=right.size).reshape(right.shape)
        above = right[::-1].cumsum(0)[::-1][1:]
        by_unit = np.argsort(number[shorter], kind="stable")
        units, first, counts = np.unique(number[shorter][by_unit], return_index=True, return_counts=True)
        right_of_unit = np.add.reduceat(above[by_unit], first)
        of_unit = counts[:, None] * np.bincount(others, minlength=num_units)
        for of_pair, (concordant, comparable) in zip(of_pairs, sums, strict=True):
            concordant[units] += of_pair * right_of_unit
            comparable[units] += of_pair * of_unit
    return sums


def pairs_of_equal_age(
    time: Floats, event: Bools, predicted: Floats, age: Floats, number: Integers
) -> tuple[Floats, Floats]:
    """As `pairs_by_unit`, of windows of the same age alone; age: (n,), at which a unit has one window."""
    num_units = int(number.max()) + 1 if len(number) else 0
    total = np.zeros((num_units, num_units)), np.zeros((num_units, num_units))
    by_age = np.argsort(age, kind="stable")
    for same in np.split(by_age, np.flatnonzero(np.diff(age[by_age])) + 1):
        first, other, which = event[same], ~event[same], number[same]
        if not first.any() or len(same) < 2:
            continue
        later = time[same][None, :] > time[same][:, None]
        later |= (time[same][None, :] == time[same][:, None]) & other[None, :]
        comparable = first[:, None] & later
        difference = predicted[same][None, :] - predicted[same][:, None]
        right = comparable * ((difference > 0) + 0.5 * (difference == 0))
        for sums, part in zip(total, (right, comparable), strict=True):
            sums[np.ix_(which, which)] += part
    return total


def concordance_of(pairs: tuple[Floats, Floats]) -> float:
    """The concordance index of all pairs, as `concordance_index` has it; NaN without a pair."""
    concordant, comparable = (float(part.sum()) for part in pairs)
    return concordant / comparable if comparable else float("nan")


def resampled_concordance(pairs: tuple[Floats, Floats], weights: Floats) -> Floats:
    """(B,) the concordance index for each row of `weights` (B, U), how often each unit is drawn; NaN without a pair."""
    above, below = (((weights @ part) * weights).sum(1) for part in pairs)
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
