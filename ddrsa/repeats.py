"""Configurations with repeats (seeds, folds), compared at every look by confidence sequences of their differences.

A race (`ddrsa.sweep.race`), `analyze.py watch=true` and the live page compare by `gap_of`, so that all say the same.
The whole answer of a sweep that is looked at as runs come in is `ddrsa.analysis.analysis.analyze(..., looks=True)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrsa.anytime import PRIOR_VARIANCE, half_width

Floats = NDArray[np.float64]

FEW_PAIRS = 3

# The noise is taken from at least so many of the best configurations, where there are so many.
_FEWEST_FOR_NOISE = 5

# As `PRIOR_VARIANCE` of `ddrsa.anytime`, in units of the noise of a run: where many tell that, the bounds of 3 to 20
# repeats are the shorter the smaller it is, down to about this.
_SHARED_PRIOR = 10.0


@dataclass(frozen=True)
class Shared:
    """The noise of a run, with configuration and repeat accounted for, and its degrees of freedom."""

    variance: float
    freedom: int


@dataclass(frozen=True)
class Gap:
    """A mean difference of two configurations on the repeats that both have (count), and its bounds.

    low and high hold together at all looks; least alone: the difference is no less. deviation: of the mean, one
    standard error. last: how far least would be below the mean after the most repeats, with the noise so far.
    """

    mean: float
    low: float
    high: float
    least: float
    count: int
    deviation: float
    last: float


def gap_of(differences: Floats, alpha: float, most: int, shared: Shared | None) -> Gap | None:
    """The gap by the differences on each repeat, NaN where one of the two has none; None where there is no pair.

    alpha: the probability, at most, that the bounds leave out the truth at any look; of several pairs by Bonferroni a
    share of the whole. most: repeats that there will be. shared: the noise of all configurations, for differences of
    which there are too few to show their own; None to take theirs, whatever their number.
    """
    pairs = differences[~np.isnan(differences)]
    n = len(pairs)
    if n == 0:
        return None
    mean = float(pairs.mean())
    # Of the difference on one repeat.
    noise = float(pairs.std(ddof=1)) if n > 1 else 0.0
    if shared is None:
        freedom, last_freedom, weight, prior = n - 1, most - 1, 1.0, PRIOR_VARIANCE
    else:
        together = math.sqrt(2 * shared.variance)
        # Two or three pairs do not show their own noise; where more are noisier than all others, theirs counts.
        noise = max(together, noise) if n > FEW_PAIRS else together
        freedom, last_freedom, weight, prior = shared.freedom, shared.freedom, 0.5, _SHARED_PRIOR
    error, last_error = noise / math.sqrt(n), noise / math.sqrt(most)
    half = half_width(error, freedom, weight * n, alpha, prior)
    one_sided = half_width(error, freedom, weight * n, alpha, prior, one_sided=True)
    last = half_width(last_error, last_freedom, weight * most, alpha, prior, one_sided=True)
    return Gap(mean, mean - half, mean + half, mean - one_sided, n, error, last)


def adjusted_means(scores: Floats) -> Floats:
    """The mean of each configuration, less the effects of the repeats that it has; infinite where it has none.

    scores: (configurations, repeats), NaN where there is none.
    """
    known = ~np.isnan(scores)
    means, _ = _two_way(scores, known)
    return np.where(known.any(axis=1), means, np.inf)


def better_half(means: Sequence[float]) -> list[int]:
    """The better half by the means, 5 or more where there are so many: the lowest first; infinite ones are left out.

    Of these the noise is taken: a configuration that diverges is noisier than those that are to be told apart. Where
    all are equally noisy, a mean says nothing of the noise, and the choice changes nothing.
    """
    order = sorted((place for place, mean in enumerate(means) if math.isfinite(mean)), key=lambda place: means[place])
    return order[: max(_FEWEST_FOR_NOISE, (len(order) + 1) // 2)]


def shared_noise(scores: Floats) -> Shared | None:
    """The noise that all configurations show together; None where there is too little to tell.

    scores: as for `adjusted_means`. It is assumed that all are about equally noisy.
    """
    known = ~np.isnan(scores)
    usable = known & (known.sum(axis=1, keepdims=True) > 1)
    usable &= usable.sum(axis=0, keepdims=True) > 1
    freedom = int(usable.sum()) - int(usable.any(axis=1).sum()) - int(usable.any(axis=0).sum()) + 1
    if freedom < 1:
        return None
    _, rest = _two_way(np.where(usable, scores, np.nan), usable)
    return Shared(float((rest[usable] ** 2).sum()) / freedom, freedom)


def _two_way(scores: Floats, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Least squares of configuration + repeat (R. A. Fisher, The Design of Experiments, 1935, randomised blocks).

    With the configurations eliminated, it is a system of the repeats alone; of its solutions the shortest is taken,
    since a constant may be moved between the two. Returns the means of the configurations, less the effects of the
    repeats that they have, and what is left of each score.
    """
    there = known.astype(float)
    filled = np.where(known, scores, 0.0)
    counts = np.maximum(there.sum(axis=1), 1.0)[:, None]
    system = np.diag(there.sum(axis=0)) - there.T @ (there / counts)
    right = (filled - there * (filled.sum(axis=1)[:, None] / counts)).sum(axis=0)
    effects = np.linalg.lstsq(system, right, rcond=None)[0]
    means = (filled - effects * there).sum(axis=1) / counts[:, 0]
    return means, np.where(known, scores - means[:, None] - effects, np.nan)
