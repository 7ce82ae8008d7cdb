"""Trade-off of a policy with a threshold: time given up and failures missed, for every threshold at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The points of a curve that are kept in a file.
CURVE_POINTS = 50
# Draws times rows at a time: some tens of megabytes.
_NUMBERS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class OperatingPoint:
    """A policy with one threshold, played on whole units that ran to failure.

    threshold: in the unit of the policy's score.
    miss_rate: the share of units that failed before the policy intervened.
    mean_time_to_event: the mean useful life given up at the interventions, in cycles; None where all were missed.
    """

    threshold: float
    miss_rate: float
    mean_time_to_event: float | None


@dataclass(frozen=True, eq=False)
class Changes:
    """What each row that is the first to pass some threshold adds, from the row that passes last to the first one.

    unit: (r,) its unit, 0 .. U-1. caught: (r,) 1 where the unit was not caught before, else 0. time: (r,) by how much
    the time to event at the intervention in its unit is greater than before. ends: (R,) the rows behind each threshold.
    """

    unit: NDArray[np.int64]
    caught: NDArray[np.int64]
    time: Floats
    ends: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TradeOff:
    """A policy that intervenes along a life where a score first passes a threshold; from few misses to many or back.

    thresholds: (R,) the values at which something changes, from the threshold that intervenes last to the first one.
    num_caught: (R,) the units in which it intervenes in time. sum_of_times: (R,) their times to event, summed.
    num_units: U. below: whether it intervenes where the score is at or below the threshold, or at or above it.
    changes: of which the sums are made.
    """

    thresholds: Floats
    num_caught: NDArray[np.int64]
    sum_of_times: Floats
    num_units: int
    below: bool
    changes: Changes

    def at(self, threshold: float) -> OperatingPoint:
        """The policy with any threshold."""
        index = self._index(threshold)
        if index < 0:
            return OperatingPoint(float(threshold), 1.0, None)
        return OperatingPoint(float(threshold), self._miss_rate(index), self._mean(index))

    def of_units(self, threshold: float | None) -> tuple[Floats, Floats]:
        """Whether each unit is caught in time, 1 or 0, and its time to event then, else 0; (U,). None: never."""
        index = -1 if threshold is None else self._index(threshold)
        rows = slice(0, self.changes.ends[index] if index >= 0 else 0)
        caught, time = (
            np.bincount(self.changes.unit[rows], weights=change[rows], minlength=self.num_units).astype(np.float64)
            for change in (self.changes.caught, self.changes.time)
        )
        return caught, time

    def resampled_best(self, miss_rates: Sequence[float], weights: Floats) -> list[Floats]:
        """(B,) for each miss rate the mean time to event of `best`, of each row of `weights` (B, U).

        weights: how often each unit is drawn. NaN where no threshold misses so few.
        """
        found = [np.full(len(weights), np.nan) for _ in miss_rates]
        changes, ends = self.changes, self.changes.ends - 1
        if not len(ends):
            return found
        at_once = max(1, _NUMBERS_AT_ONCE // len(changes.unit))
        for first in range(0, len(weights), at_once):
            part = slice(first, first + at_once)
            total = weights[part].sum(1, keepdims=True)
            of_row = weights[part][:, changes.unit]
            caught = (of_row * changes.caught).cumsum(1)[:, ends]
            times = (of_row * changes.time).cumsum(1)[:, ends]
            mean = np.divide(times, caught, out=np.full(caught.shape, np.inf), where=caught > 0)
            for rate, values in zip(miss_rates, found, strict=True):
                least = np.where(total - caught <= rate * total + 1e-9, mean, np.inf).min(1)
                values[part] = np.where(np.isfinite(least), least, np.nan)
        return found

    def _index(self, threshold: float) -> int:
        """The last of `thresholds` that `threshold` passes; -1 without any."""
        sign = -1 if self.below else 1
        return int(np.searchsorted(-sign * self.thresholds, -sign * threshold, side="right")) - 1

    def best(self, miss_rate: float) -> OperatingPoint | None:
        """The point that gives up least among those that miss no more than `miss_rate`; None where there is none."""
        # An integer comparison: 1 of 20 is 5 %, whatever the digits of 1 - 19 / 20.
        enough = np.flatnonzero(self.num_units - self.num_caught <= miss_rate * self.num_units + 1e-9)
        if not len(enough):
            return None
        return self._point(int(enough[np.argmin((self.sum_of_times / self.num_caught)[enough])]))

    def curve(self, num_points: int = CURVE_POINTS) -> list[OperatingPoint]:
        """For each miss rate that can be reached the point that gives up least, from the largest to the smallest one.

        Where these are more than `num_points`, so many of them, evenly spread and with both ends.
        """
        mean = self.sum_of_times / self.num_caught
        starts = np.flatnonzero(np.diff(self.num_caught, prepend=-1))
        ends = np.append(starts[1:], len(mean))[: len(starts)]
        best = [int(start + np.argmin(mean[start:end])) for start, end in zip(starts, ends, strict=True)]
        if len(best) > num_points:
            best = [best[index] for index in np.linspace(0, len(best) - 1, num_points).round().astype(int)]
        return [self._point(index) for index in best]

    def _point(self, index: int) -> OperatingPoint:
        return OperatingPoint(float(self.thresholds[index]), self._miss_rate(index), self._mean(index))

    def _miss_rate(self, index: int) -> float:
        return float((self.num_units - self.num_caught[index]) / self.num_units)

    def _mean(self, index: int) -> float:
        return float(self.sum_of_times[index] / self.num_caught[index])


def trade_off(
    score: Floats,
    unit: NDArray[np.int64],
    time_to_event: Floats,
    intervene: Literal["below", "above"],
    lead_time: int = 1,
) -> TradeOff:
    """Play the policy along each unit's life, for all thresholds: it intervenes at the unit's first row that passes.

    A unit is missed if no row with tau >= `lead_time` passes. Only a row whose score is beyond those of all rows before
    it can be the first to pass a threshold, so it is enough to sort these: O(N log N), and exact.

    Args:
        score: (N,) of every row of whole units whose failure was seen, a unit's rows in the order of time.
        unit: (N,) the unit of each row. time_to_event: (N,) tau in cycles.
        intervene: whether it intervenes at or below the threshold, or at or above it. A score that is infinite on the
            other side never passes.
    """
    below = intervene == "below"
    urgency = -np.asarray(score, np.float64) if below else np.asarray(score, np.float64)
    _, number = np.unique(unit, return_inverse=True)
    num_units = int(number.max()) + 1 if len(number) else 0
    in_time = np.asarray(time_to_event) >= lead_time
    order = np.flatnonzero(in_time)[np.argsort(number[in_time], kind="stable")]
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    at, caught, change = [np.empty(0)], [np.empty(0, np.int64)], [np.empty(0)]
    of_unit = [np.empty(0, np.int64)]
    for rows in np.split(order, starts[1:]):
        highest = np.maximum.accumulate(urgency[rows])
        record = urgency[rows] > np.append(-np.inf, highest[:-1])
        times = np.asarray(time_to_event, np.float64)[rows[record]]
        at.append(urgency[rows[record]])
        # With a bolder threshold the unit's last record passes first, then the one before takes its place, and so on.
        caught.append(np.append(np.zeros(max(len(times) - 1, 0), np.int64), 1)[: len(times)])
        change.append(times - np.append(times[1:], 0.0)[: len(times)])
        of_unit.append(number[rows[record]])
    level = np.concatenate(at)
    order = np.argsort(-level, kind="stable")
    level = level[order]
    last_of_equals = np.append(np.diff(level) != 0, True)[: len(level)]
    changes = Changes(
        np.concatenate(of_unit)[order],
        np.concatenate(caught)[order],
        np.concatenate(change)[order],
        np.flatnonzero(last_of_equals) + 1,
    )
    num_caught, sum_of_times = changes.caught.cumsum(), changes.time.cumsum()
    level = level[last_of_equals]
    thresholds = -level if below else level
    return TradeOff(thresholds, num_caught[last_of_equals], sum_of_times[last_of_equals], num_units, below, changes)
