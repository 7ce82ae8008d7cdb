"""Edges of the grid: best values of hyperparameters that lie there, and the values to try beyond."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# More distinct values than a person types: a search drew them from a range.
_MOST_TYPED = 12
# Of a range that a search drew from, this share at each end counts as the edge.
_EDGE_SHARE = 0.05

# Hyperparameters that cannot be above this. None of the numbers of a config here may be below 0.
_HIGHEST = {"dropout": 0.9, "lambda_param": 1.0}


@dataclass(frozen=True)
class Edge:
    """A hyperparameter whose best value lies at the edge of what was tried.

    key, value: the hyperparameter and its best value; side: `lowest` or `highest`; lowest, highest, count: the range
    of what was tried, and how many different values. suggested: what to try beyond it, the nearest first.
    """

    key: str
    value: float
    side: str
    lowest: float
    highest: float
    count: int
    suggested: tuple[float, ...]


def is_numeric(values: Sequence[Any]) -> bool:
    """Whether all of `values` are finite numbers."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values)


def is_logarithmic(tried: Sequence[float]) -> bool:
    """Whether the steps of the values, sorted and distinct, are factors rather than differences, as of 32, 64, 128."""
    if min(tried) <= 0 or len(tried) < 2:
        return False
    if len(tried) == 2:
        return max(tried) >= 2 * min(tried)
    if len(tried) > _MOST_TYPED:
        # Drawn evenly from a range, half of the values lie in its lower half; which half tells the scale.
        middle = tried[len(tried) // 2]
        return abs(_place(middle, tried, True) - 0.5) < abs(_place(middle, tried, False) - 0.5)
    ratios = [math.log(b / a) for a, b in itertools.pairwise(tried)]
    steps = [b - a for a, b in itertools.pairwise(tried)]
    return _spread(ratios) < _spread(steps)


def _spread(steps: Sequence[float]) -> float:
    mean = sum(steps) / len(steps)
    return math.sqrt(sum((step - mean) ** 2 for step in steps) / len(steps)) / mean


def find_edge(key: str, value: Any, tried: Sequence[Any]) -> Edge | None:
    """The edge that `value` lies at among the values `tried` of `key`.

    None where it lies inside, where fewer than two numbers were tried, where one of them is no number, or where there
    is nothing beyond the edge.
    """
    if not is_numeric([value, *tried]):
        return None
    values = sorted(set(tried))
    if len(values) < 2:
        return None
    logarithmic = is_logarithmic(values)
    place = _place(value, values, logarithmic)
    margin = _EDGE_SHARE if len(values) > _MOST_TYPED else 0.0
    if place <= margin:
        side, suggested = "lowest", _beyond(key, values, logarithmic, -1)
    elif place >= 1 - margin:
        side, suggested = "highest", _beyond(key, values, logarithmic, 1)
    else:
        return None
    return Edge(key, value, side, values[0], values[-1], len(values), suggested) if suggested else None


def _place(value: float, values: Sequence[float], logarithmic: bool) -> float:
    low, high = values[0], values[-1]
    if logarithmic:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _beyond(key: str, values: Sequence[float], logarithmic: bool, direction: int) -> tuple[float, ...]:
    """The next two values beyond an end of the grid, in the grid's own steps."""
    end, inner = (values[-1], values[-2]) if direction > 0 else (values[0], values[1])
    if len(values) > _MOST_TYPED:
        step = 2.0 if logarithmic else (values[-1] - values[0]) / 4
        beyond = [end * step ** (direction * k) if logarithmic else end + direction * k * step for k in (1, 2)]
    elif logarithmic:
        beyond = [end * (end / inner) ** k for k in (1, 2)]
    else:
        beyond = [end + (end - inner) * k for k in (1, 2)]
    if all(isinstance(value, int) for value in values):
        beyond = [round(value) for value in beyond if round(value) >= 1]
    else:
        beyond = [float(f"{value:.{1 if logarithmic else 2}g}") for value in beyond]
    allowed = [value for value in beyond if 0 <= value <= _HIGHEST.get(key, math.inf)]
    new = [value for value in dict.fromkeys(allowed) if (value > end if direction > 0 else value < end)]
    return tuple(new)
