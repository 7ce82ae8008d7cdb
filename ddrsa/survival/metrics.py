"""Metrics of survival forecasts: point errors, concordance, Brier score.

Times are whole cycles, so the pairs of the concordance indices are counted per distinct time, in
O(distinct times * n log n) and without an n by n matrix. The results are those of scikit-survival (the tests compare
them; a Brier score where no two times are equal), which is not imported here because it would bind this package to the
GPL.

Common arguments: `time` (n,) observed time in cycles, min(tau, L); `event` (n,) bool, tau < L and seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class CensoringDistribution:
    """Kaplan-Meier estimate of G(t) = P(C > t), the probability of not being censored up to t."""

    times: Floats
    probabilities: Floats

    @classmethod
    def fit(cls, time: Floats, event: Bools) -> CensoringDistribution:
        """Estimate G from n subjects. At equal times events come before censorings, as they do in scikit-survival."""
        times, index, counts = np.unique(time, return_inverse=True, return_counts=True)
        censored = np.bincount(index, weights=~event, minlength=len(times))
        at_risk = counts[::-1].cumsum()[::-1] - (counts - censored)
        factors = np.divide(censored, at_risk, out=np.zeros(len(times)), where=censored > 0)
        return cls(times, np.cumprod(1 - factors))

    def __call__(self, time: Floats) -> Floats:
        """G at each of `time`, same shape; 1 before the first time it was fitted on."""
        position = np.searchsorted(self.times, time, side="right")
        return np.concatenate([[1.0], self.probabilities])[position]

    def weight_of_pair(self, time: float) -> float:
        """G(t)^-2 of the shorter time of a pair; 0 where G is."""
        g = float(self(np.array(time)))
        return g**-2 if g > 0 else 0.0

    def at_least(self, time: Floats) -> Floats:
        """P(C >= t) at each of `time`, same shape: the probability that an event at t is seen."""
        position = np.searchsorted(self.times, time, side="left")
        return np.concatenate([[1.0], self.probabilities])[position]


def concordance_index(
    time: Floats, event: Bools, predicted: Floats, censoring: CensoringDistribution | None = None
) -> float:
    """Harrell's concordance index, or Uno's (inverse-probability-of-censoring weights) with a `censoring` distribution.

    A pair is comparable where the shorter time is an event and the other subject is known to live longer (a censored
    subject lives longer than one that fails at the same time). It is concordant where the prediction says so too; equal
    predictions count half. Uno's weighs each pair by G(t)^-2 of the shorter time t; pairs with G(t) = 0 are left out.

    Args:
        predicted: (n,) predicted time to event, any unit.
        censoring: G, fitted on the training subjects.

    Returns:
        a number in [0, 1]; NaN where no pair is comparable.

    Sources: Harrell et al., JAMA 247 (1982); Uno et al., Statistics in Medicine 30 (2011).
    """
    concordant = comparable = 0.0
    for t in np.unique(time[event]):
        weight = 1.0 if censoring is None else censoring.weight_of_pair(t)
        if weight == 0:
            continue
        longer = np.sort(predicted[(time > t) | ((time == t) & ~event)])
        shorter = predicted[(time == t) & event]
        below = np.searchsorted(longer, shorter, side="left")
        not_above = np.searchsorted(longer, shorter, side="right")
        above = len(longer) - not_above
        concordant += weight * float(above.sum() + 0.5 * (not_above - below).sum())
        comparable += weight * len(longer) * len(shorter)
    return concordant / comparable if comparable else float("nan")


def brier_scores(
    time: Floats, event: Bools, survival: Floats, censoring: CensoringDistribution, age: Floats | None = None
) -> tuple[Floats, Bools]:
    """The weighted squared error of each window at the steps k = 0 .. L-1, (n, L), and whether it counts there, (n, L).

    A window is weighed by how probable it was to be seen as far as is needed: up to its failure, or up to step k. It
    does not count where that is 0 for a survivor of k: beyond the follow-up nothing is known of the score.

    Args:
        survival: (n, L) forecast S[k] = P(tau > k).
        censoring: of the training units from their first row on, for windows at the `age` (n,); None: they are subjects
            that all begin at 0, and it is the distribution of such.

    Source: Graf et al., Statistics in Medicine 18 (1999). With P(C >= a + k | C >= a), since a unit that is seen at age
    a has a censoring time of at least a: pooled windows would not tell the ages apart.
    """
    steps = np.arange(survival.shape[1], dtype=np.float64)
    age = np.zeros(len(time)) if age is None else age
    here = censoring.at_least(age)
    seen_event = np.divide(censoring.at_least(age + time), here, out=np.zeros(len(time)), where=here > 0)
    up_to = np.divide(
        censoring.at_least(age[:, None] + steps), here[:, None], out=np.zeros(survival.shape), where=here[:, None] > 0
    )
    failed = event[:, None] & (time[:, None] <= steps)
    # A censored window is known to outlive the step at which it was seen last.
    survived = np.where(event[:, None], time[:, None] > steps, time[:, None] >= steps)
    scores = np.where(failed, survival**2 * _inverse(seen_event)[:, None], 0.0)
    scores += np.where(survived, (1 - survival) ** 2 * _inverse(up_to), 0.0)
    counts = up_to > 0
    return np.where(counts, scores, 0.0), counts


def brier_score(
    time: Floats, event: Bools, survival: Floats, censoring: CensoringDistribution, age: Floats | None = None
) -> Floats:
    """The mean of `brier_scores` at the steps k = 0 .. L-1 over the windows that count there, (L,); NaN without any."""
    scores, counts = brier_scores(time, event, survival, censoring, age)
    return ratio(scores.sum(axis=0), counts.sum(axis=0))


def ratio(total: Floats, count: Floats | NDArray[np.int64]) -> Floats:
    """total / count, same shape, NaN where the count is 0."""
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)


def integrated_brier_score(
    time: Floats, event: Bools, survival: Floats, censoring: CensoringDistribution, age: Floats | None = None
) -> float:
    """`integrated` over the horizon of `brier_score`."""
    return float(integrated(brier_score(time, event, survival, censoring, age)))


def integrated(scores: Floats) -> Floats:
    """The mean of scores (..., L) over the steps at which there is one (trapezoidal rule), (...); NaN without any."""
    known = np.isfinite(scores)
    both = known[..., 1:] & known[..., :-1]
    filled = np.where(known, scores, 0.0)
    areas = np.where(both, (filled[..., 1:] + filled[..., :-1]) / 2, 0.0).sum(-1)
    return np.where(both.any(-1), ratio(areas, both.sum(-1)), scores[..., 0])


def _inverse(probability: Floats) -> Floats:
    return np.divide(1.0, probability, out=np.zeros_like(probability), where=probability > 0)


def mean_absolute_error(predicted: Floats, true: Floats) -> float:
    """Mean |predicted - true| in cycles, both (n,); NaN for n = 0."""
    return float(np.abs(predicted - true).mean()) if len(true) else float("nan")


def root_mean_squared_error(predicted: Floats, true: Floats) -> float:
    """sqrt(mean (predicted - true)^2) in cycles, both (n,); NaN for n = 0."""
    return float(np.sqrt(((predicted - true) ** 2).mean())) if len(true) else float("nan")


def nasa_score(predicted: Floats, true: Floats) -> float:
    """The sum of the asymmetric PHM 2008 penalties of predicted - true in cycles, both (n,), without any limit.

    exp(-d / 13) - 1 for d < 0, exp(d / 10) - 1 otherwise (Saxena et al., PHM 2008).
    """
    error = predicted - true
    return float(np.expm1(np.where(error < 0, -error / 13, error / 10)).sum())


def mean_nasa_penalty(predicted: Floats, true: Floats) -> float:
    """`nasa_score` per prediction, which can be compared between sets of any size; NaN for n = 0."""
    return nasa_score(predicted, true) / len(true) if len(true) else float("nan")
