"""Uncertainty of a mean, and of a difference of two means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.texts import count_of

CONFIDENCE = 0.95

Floats = NDArray[np.float64]
# The values of one configuration by repeat: seed, fold, ...
Repeats = Mapping[Any, float]

# With so many pairs, their own spread is enough to tell.
_ENOUGH_PAIRS = 5

# Resamples of a bootstrap, and how many numbers it may hold in memory at once.
_RESAMPLES = 9_999
_FEWEST_RESAMPLES = 999
_WORK = 4_000_000
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """A mean over repeats. deviation is that of a sample (n - 1), None for a single one."""

    mean: float
    deviation: float | None
    n: int


@dataclass(frozen=True)
class Noise:
    """Residual variance of the repeats, with configuration and repeat accounted for, and its degrees of freedom."""

    variance: float
    freedom: int
    configurations: int


@dataclass(frozen=True)
class Difference:
    """The mean of two sets of repeats against each other, with its confidence interval.

    mean: the second mean minus the first. low, high: the interval at `CONFIDENCE`, None where there are too few
    repeats to tell. method: how it was found, see `difference`; n: the repeats (seed and fold) behind it, those that
    both have, or all of both.
    """

    mean: float
    low: float | None
    high: float | None
    method: str | None
    n: int

    @property
    def is_clear(self) -> bool | None:
        """Whether the interval leaves out zero; None where there is no interval."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0 or self.high < 0


def pooled_noise(values: Sequence[Repeats]) -> Noise | None:
    """The noise of `values`, a configuration each: the residual of a two-way layout, configuration by repeat.

    Only configurations that have all the repeats of the one with the most count. None where there are too few. It is
    assumed that they are about equally noisy (R. A. Fisher, The Design of Experiments, 1935, randomised blocks).
    """
    repeats = list(max((one.keys() for one in values), key=len, default=()))
    alike = [one for one in values if one.keys() >= set(repeats)]
    if len(repeats) < 2 or len(alike) < 3:
        return None
    table = np.array([[one[repeat] for repeat in repeats] for one in alike])
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    freedom = (len(alike) - 1) * (len(repeats) - 1)
    return Noise(float((residual**2).sum()) / freedom, freedom, len(alike))


def difference(first: Repeats, second: Repeats, noise: Noise | None = None) -> Difference:
    """`second` minus `first`: values by repeat (seed, fold), none of them NaN, neither empty.

    The same seed gives the same split of the units, so pairs leave out what the split does to both:

    - five shared repeats or more: Student's paired t interval over these;
    - fewer: the same with the `noise` that all configurations show, since two or three pairs do not show their own;
      without `noise`, still their own;
    - no shared repeat: Welch's interval (B. L. Welch, Biometrika 34, 1947), where both have two repeats or more.
    """
    shared = [repeat for repeat in first if repeat in second]
    if shared:
        pairs = np.array([second[repeat] - first[repeat] for repeat in shared])
        mean, n = float(pairs.mean()), len(pairs)
        if noise is not None and n < _ENOUGH_PAIRS:
            method = f"paired t with the noise of {count_of(noise.configurations, 'configuration')}"
            return _interval(mean, math.sqrt(2 * noise.variance / n), noise.freedom, method, n)
        if n >= 2:
            return _interval(mean, float(pairs.std(ddof=1)) / math.sqrt(n), n - 1, "paired t", n)
        return Difference(mean, None, None, None, n)
    a, b = np.array(list(first.values())), np.array(list(second.values()))
    mean, n = float(b.mean() - a.mean()), a.size + b.size
    if a.size < 2 or b.size < 2:
        return Difference(mean, None, None, None, n)
    parts = a.var(ddof=1) / a.size, b.var(ddof=1) / b.size
    total = float(sum(parts))
    freedom = total**2 / (parts[0] ** 2 / (a.size - 1) + parts[1] ** 2 / (b.size - 1)) if total else float(n - 2)
    return _interval(mean, math.sqrt(total), freedom, "Welch", n)


@dataclass(frozen=True)
class AtTheEnd:
    """Differences of runs that are looked at once, when all have ended. noise: as for `difference`."""

    noise: Noise | None

    def difference(self, first: Repeats, second: Repeats) -> Difference:
        """See the function of this name."""
        return difference(first, second, self.noise)


def _interval(mean: float, error: float, freedom: float, method: str, n: int) -> Difference:
    # Here, so that the command starts without scipy.stats, which takes longer to import than all else.
    from scipy.special import stdtrit

    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    return Difference(mean, mean - half, mean + half, method, n)


def bootstrap_means(values: Floats, seed: int = 0) -> tuple[Floats, Floats]:
    """The percentile bootstrap interval, at `CONFIDENCE`, of the mean of each column of `values` (n, M).

    NaN is no observation. A column with fewer than two gives NaN. Drawing n runs with replacement is drawing how often
    each run occurs from a multinomial distribution, so one draw serves all columns.

    Returns:
        the lower and the upper bounds, (M,) each.
    """
    n, columns = values.shape
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    resamples = int(np.clip(_WORK // max(n, 1), _FEWEST_RESAMPLES, _RESAMPLES))
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, columns))
    chunk = max(1, _CHUNK // max(n, 1))
    for start in range(0, resamples, chunk):
        stop = min(start + chunk, resamples)
        counts = generator.multinomial(n, np.full(n, 1 / n), size=stop - start).astype(float)
        observed = counts @ known
        # A resample may leave out every run that has this metric.
        means[start:stop] = np.divide(
            counts @ filled, observed, out=np.full(observed.shape, np.nan), where=observed > 0
        )
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    enough = known.sum(axis=0) >= 2
    if enough.any():
        tail = (1 - CONFIDENCE) / 2
        low[enough], high[enough] = np.nanquantile(means[:, enough], [tail, 1 - tail], axis=0)
    return low, high
