"""How the benchmarks time: alternately, so that a machine whose speed drifts treats both sides alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def alternate(
    first: Callable[[], object],
    second: Callable[[], object],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[float], list[float]]:
    """Seconds of each call of `first` and `second` in turn, after one call of each that is not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for round_number in range(rounds + 1):
        for call, taken in zip((first, second), seconds, strict=True):
            start = clock()
            call()
            if round_number:
                taken.append(clock() - start)
    return seconds


def median_ratio(numerators: list[float], denominators: list[float]) -> float:
    """The median of the ratios pair by pair."""
    return statistics.median(n / d for n, d in zip(numerators, denominators, strict=True))
