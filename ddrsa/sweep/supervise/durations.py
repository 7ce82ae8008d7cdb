"""Predicted durations of runs, from those of others: each swept value makes a run longer or shorter by a factor."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The last of them: a search of thousands of trials never tries a value twice.
_MOST_RUNS = 500

# Before anything is seen, by what share the values of a key make runs longer or shorter, and equal runs differ; and how
# many values, and runs, that counts for.
_EFFECT, _OF_VALUES = 0.5, 0.03
_NOISE, _OF_RUNS = 0.1, 1.0
# Nothing is known before of how long runs are: by this factor, as a power of e, they may be longer than in the mean.
_ANY = 10.0

# Steps of the fit at the most, which goes on from where it was when another run has ended; it ends when no step changes
# a variance by more than this share.
_STEPS, _SETTLED = 50, 0.02

# The kind of a run among the keys; no key has such a name.
_KIND = "\0kind"

Feature = tuple[str, str]


@dataclass(frozen=True)
class Prediction:
    """The predicted duration of a run. spread: its standard deviation, as a share of it."""

    seconds: float
    spread: float


@dataclass
class _Fit:
    """mean: of the logs of the seconds. places: of the values that were seen, by their column; 0 is what all have.

    effects, covariance: of the columns, beyond the mean.
    """

    mean: float
    places: dict[Feature, int]
    effects: NDArray[np.float64]
    covariance: NDArray[np.float64]


class PredictedDurations:
    """A linear model of the logarithm of the seconds: each value of a key has an effect, for all kinds of runs and for
    each, and so has the kind itself.

    How much the values of a key differ is told by those that were seen (variance components, by the EM algorithm;
    N. M. Laird, J. H. Ware, Random-effects models for longitudinal data, Biometrics 38, 1982): the seed makes no
    difference and is soon known to make none, the model a large one. So a run with a value that none had before has a
    prediction too, and one that says how little is known.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[dict[str, str], float]] = []
        self._effect: dict[str, float] = {}  # of each key, the variance of its values' effects
        self._noise = _NOISE**2
        self._fitted: _Fit | None = None
        self._known: dict[frozenset[Feature], Prediction] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, kind: str, values: Mapping[str, str], seconds: float) -> None:
        """A run took so long."""
        self._seen.append((_features(kind, values), math.log(max(seconds, 1e-3))))
        del self._seen[:-_MOST_RUNS]
        self._fitted = None

    @property
    def spread(self) -> float:
        """By what share equal runs differ."""
        return math.sqrt(self._noise)

    def predicted(self, kind: str, values: Mapping[str, str]) -> Prediction | None:
        """That of a run of this kind with these values; None before any was seen."""
        if not self._seen:
            return None
        fit = self._fitted or self._fit()
        # A key of which each run had another value says nothing: what it does is noise.
        features = frozenset((key, value) for key, value in _features(kind, values).items() if key in self._effect)
        if features not in self._known:
            self._known[features] = self._predicted(fit, features)
        return self._known[features]

    def _predicted(self, fit: _Fit, features: frozenset[Feature]) -> Prediction:
        seen = [0, *(fit.places[each] for each in features if each in fit.places)]
        unseen = sum(self._effect[key] for key, value in features if (key, value) not in fit.places)
        variance = self._noise + unseen + float(fit.covariance[seen][:, seen].sum())
        return Prediction(math.exp(fit.mean + float(fit.effects[seen].sum())), math.sqrt(variance))

    def _fit(self) -> _Fit:
        import numpy as np  # a sweep without a time limit does without it

        counts = Counter(feature for values, _ in self._seen for feature in values.items())
        keys = {key for (key, _), count in counts.items() if count > 1 or len(self._seen) == 1}
        if sum(key == _KIND for key, _ in counts) == 1:  # what a value does to all runs and to this kind is one thing
            keys = {key for key in keys if not key.startswith(f"{_KIND} ")}
        self._effect = {key: self._effect.get(key, _EFFECT**2) for key in keys}
        places = {feature: place for place, feature in enumerate((f for f in counts if f[0] in keys), start=1)}
        of_key = {key: np.array([place for (k, _), place in places.items() if k == key]) for key in keys}
        logs = np.array([seconds for _, seconds in self._seen])
        design = np.zeros((len(logs), 1 + len(places)))
        design[:, 0] = 1.0
        for row, (values, _) in enumerate(self._seen):
            design[row, [places[feature] for feature in values.items() if feature in places]] = 1.0
        mean = float(logs.mean())
        prior = np.full(design.shape[1], _ANY**2)
        for _ in range(_STEPS):
            before = {**self._effect, "": self._noise}
            for key, columns in of_key.items():
                prior[columns] = self._effect[key]
            # By the system of the runs, not of the values: a search has thousands of those.
            weighted = design * prior
            inverse = np.linalg.inv(weighted @ design.T + self._noise * np.eye(len(logs)))
            rest = inverse @ (logs - mean)
            effects = weighted.T @ rest
            gain = inverse @ weighted
            spared = np.einsum("np,np->p", weighted, gain)  # of the prior variance of each effect
            for key, columns in of_key.items():
                found = float((effects[columns] ** 2 + prior[columns] - spared[columns]).sum())
                self._effect[key] = (_OF_VALUES * _EFFECT**2 + found) / (_OF_VALUES + len(columns))
            # What is left of each run, and how uncertain that is.
            left = self._noise * rest
            unsure = self._noise - self._noise**2 * np.diag(inverse)
            self._noise = (_OF_RUNS * _NOISE**2 + float((left**2 + unsure).sum())) / (_OF_RUNS + len(logs))
            if all(abs(now / before[key] - 1) < _SETTLED for key, now in {**self._effect, "": self._noise}.items()):
                break
        self._known = {}
        self._fitted = _Fit(mean, places, effects, np.diag(prior) - weighted.T @ gain)
        return self._fitted


def _features(kind: str, values: Mapping[str, str]) -> dict[str, str]:
    """What a duration is put together of: the kind, each value, and what a value does to runs of this kind alone."""
    return {_KIND: kind, **values, **{f"{_KIND} {key}": f"{kind} {value}" for key, value in values.items()}}


def packed(rests: Sequence[float], waiting: Sequence[float], n_jobs: int, left: float) -> tuple[float, list[int]]:
    """When the last run ends, and which of those that wait are done by then, in the order of their start.

    Each time a place is free, the longest that still fits into the time that is left begins (R. L. Graham, Bounds on
    multiprocessing timing anomalies, 1969). rests: seconds that those under way still take. left: seconds, inf for no
    limit.
    """
    order = sorted(range(len(waiting)), key=lambda number: waiting[number])
    lengths = [waiting[number] for number in order]
    free = [*sorted(rests)[-n_jobs:], *[0.0] * (n_jobs - len(rests))]
    heapq.heapify(free)
    end, chosen = max(rests, default=0.0), []
    while order:
        now = heapq.heappop(free)
        place = bisect_right(lengths, left - now) - 1
        if place < 0:
            break  # nor does anything fit later
        chosen.append(order.pop(place))
        heapq.heappush(free, now + lengths.pop(place))
        end = max(end, now + waiting[chosen[-1]])
    return end, chosen
