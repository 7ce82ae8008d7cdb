"""Two configurations on the same test units: the difference of a metric, with an interval over the units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.rundir.directory import RunDirectory

Floats = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class OnUnits:
    """mean: of the other minus the first, on all units; low, high: its interval at 95 %; units, runs: behind it."""

    mean: float
    low: float
    high: float
    units: int
    runs: int


def paired_on_units(pairs: Iterable[tuple[Path, Path]], metric: str) -> OnUnits | None:
    """The mean difference of the pairs of runs, the second minus the first, by the bootstrap over their test units.

    Only the pairs that were tested on the same units as the first of them count. None where no run says what its
    `metric` is on each unit (`by_unit` of test_metrics.json), or units are fewer than two.
    """
    found: list[tuple[Floats, Floats]] = []
    same: list[Any] | None = None
    for directories in pairs:
        both = [_by_unit(directory) for directory in directories]
        if not all(metric in each for each in both) or both[0].get("unit") != both[1].get("unit"):
            continue
        same = same if same is not None else both[0]["unit"]
        if both[0]["unit"] != same or len(same) < 2:
            continue
        weights = _draws(len(same))
        first, other = (_resampled(each[metric], weights) for each in both)
        found.append((first, other))
    if not found or same is None:
        return None
    differences = np.mean([other - first for first, other in found], axis=0)
    resampled = differences[1:][np.isfinite(differences[1:])]
    if not len(resampled) or not np.isfinite(differences[0]):
        return None
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return OnUnits(float(differences[0]), float(low), float(high), len(same), len(found))


def _by_unit(directory: Path) -> dict[str, Any]:
    try:
        result = RunDirectory(directory).read_test_metrics() or {}
    except ValueError:
        return {}
    by_unit = result.get("by_unit")
    return by_unit if isinstance(by_unit, dict) else {}


def _draws(num_units: int) -> Floats:
    """(1 + B, U): each unit once, and then how often it is drawn."""
    drawn = np.random.default_rng(0).multinomial(num_units, np.full(num_units, 1 / num_units), RESAMPLES)
    return np.concatenate([np.ones((1, num_units)), drawn])


def _resampled(sums: dict[str, Any], weights: Floats) -> Floats:
    total, count = weights @ np.array(sums["total"], float), weights @ np.array(sums["count"], float)
    ratio = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return np.sqrt(ratio) if sums.get("root") else ratio
