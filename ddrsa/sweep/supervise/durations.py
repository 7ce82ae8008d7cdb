"""Predicted durations of runs, from those of others: each swept value makes a run longer or shorter by a factor."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# So many runs without any effect of a value stand against those that have it: one run says little of it.
_PRIOR_RUNS = 0.5

# The last of them: a search of thousands of trials never tries a value twice.
_MOST_RUNS = 500


@dataclass
class PredictedDurations:
    """A linear model of the logarithm of the seconds, by the kind of a run and its swept values (ridge regression).

    Values that no run had so far change nothing. spread: the root mean square of what it leaves unexplained, as a
    share of the duration.
    """

    _seen: list[tuple[frozenset[str], float]] = field(default_factory=list)
    _columns: dict[str, int] = field(default_factory=dict)
    _weights: list[float] | None = None
    _mean: float = 0.0
    spread: float = 0.0

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, kind: str, values: Mapping[str, str], seconds: float) -> None:
        """A run took so long."""
        self._seen.append((_features(kind, values), math.log(max(seconds, 1e-3))))
        del self._seen[:-_MOST_RUNS]
        self._weights = None

    def expected(self, kind: str, values: Mapping[str, str]) -> float | None:
        """Seconds of a run of this kind with these values; None before any was seen."""
        if not self._seen:
            return None
        weights = self._fit() if self._weights is None else self._weights
        known = [self._columns[name] for name in _features(kind, values) if name in self._columns]
        return math.exp(self._mean + sum(weights[place] for place in known))

    def _fit(self) -> list[float]:
        import numpy as np  # a sweep without a time limit does without it

        names = sorted({name for features, _ in self._seen for name in features})
        self._columns = {name: place for place, name in enumerate(names)}
        logs = np.array([seconds for _, seconds in self._seen])
        self._mean = float(logs.mean())
        design = np.zeros((len(logs), len(names)))
        for row, (features, _) in enumerate(self._seen):
            design[row, [self._columns[name] for name in features]] = 1.0
        # By the smaller of the two systems: of thousands of values (a search) there are thousands of columns.
        rest = logs - self._mean
        if len(names) <= len(logs):
            weights = np.linalg.solve(design.T @ design + _PRIOR_RUNS * np.eye(len(names)), design.T @ rest)
        else:
            weights = design.T @ np.linalg.solve(design @ design.T + _PRIOR_RUNS * np.eye(len(logs)), rest)
        left = rest - design @ weights
        self.spread = float(np.sqrt((left**2).sum() / max(len(logs) - 1, 1)))
        self._weights = weights.tolist()
        return self._weights


def _features(kind: str, values: Mapping[str, str]) -> frozenset[str]:
    return frozenset([f"kind {kind}", *(f"{key}={value}" for key, value in values.items())])


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
