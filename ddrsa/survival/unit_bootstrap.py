"""Intervals of metrics by the bootstrap over units: the windows of a unit come and go together.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8: what is drawn is what is independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class UnitSums:
    """A metric as a ratio of sums over units, of which the square root may be taken.

    total: (U,) the sum over the windows of each unit that count. count: (U,) how many these are.
    """

    total: Floats
    count: Floats
    root: bool = False

    @classmethod
    def of(cls, values: Floats, counts: Bools, number: Integers, num_units: int, *, root: bool = False) -> UnitSums:
        """From the values of n windows, those that count, and the number of the unit of each."""
        total = np.bincount(number, weights=np.where(counts, values, 0.0), minlength=num_units).astype(np.float64)
        return cls(total, np.bincount(number, weights=counts, minlength=num_units).astype(np.float64), root)

    def resampled(self, weights: Floats) -> Floats:
        """(B,) the metric for each row of `weights` (B, U), how often each unit is drawn; NaN where nothing counts."""
        total, count = weights @ self.total, weights @ self.count
        ratio = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
        return np.sqrt(ratio) if self.root else ratio

    def to_dict(self) -> dict[str, Any]:
        """As test_metrics.json has it."""
        return {"total": self.total.tolist(), "count": self.count.tolist(), "root": self.root}


def draws(num_units: int, resamples: int = RESAMPLES) -> Floats:
    """(B, U) how often each unit is drawn, from a generator of fixed seed: the same for all metrics and runs."""
    return np.random.default_rng(0).multinomial(num_units, np.full(num_units, 1 / num_units), resamples).astype(float)


def interval(values: Floats) -> list[float] | None:
    """The percentile interval at LEVEL of resampled values; None where fewer than half of them exist, or all agree.

    Draws that all agree, as those of a single unit do, or of units of which none was missed, do not say how well the
    value is known.
    """
    known = values[np.isfinite(values)]
    if len(known) < max(2, len(values) / 2) or np.ptp(known) <= 1e-9 * np.abs(known).max():
        return None
    return [float(end) for end in np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])]
