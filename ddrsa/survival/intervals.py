"""Quantiles of the remaining useful life, and the coverage of the intervals between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.survival.hazard import survival
from ddrsa.survival.unit_bootstrap import UnitSums

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# The intervals that are reported: central, with equal probability on both sides.
LEVELS = {"50%": 0.5, "80%": 0.8, "90%": 0.9}

Ends = Mapping[str, tuple[Floats, Floats]]
"""Of `interval_ends`: the lower and upper ends, (n,) each, of the intervals of each of LEVELS."""


def quantile(logits: Tensor, probability: float) -> Tensor:
    """The smallest k with P(tau <= k) >= `probability`, (...), in cycles, from hazard logits (..., L).

    L where the probability is not reached inside the horizon: the quantile is then L or more, and not known.

    >>> quantile(torch.zeros(3), 0.6), quantile(torch.zeros(3), 0.95)
    (tensor(1.), tensor(3.))
    """
    return (survival(logits.double()) > 1 - probability).sum(-1).to(torch.get_default_dtype())


def central_interval(logits: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """The quantiles (1 - level) / 2 and (1 + level) / 2, each (...); L as in `quantile`: an open end.

    Both ends belong to the interval, so of whole cycles it holds at least `level` of the forecast probability.
    """
    return quantile(logits, (1 - level) / 2), quantile(logits, (1 + level) / 2)


def interval_ends(survivals: Floats, level: Callable[[float], float] = float) -> Ends:
    """The ends of the central intervals for each of `LEVELS`, as `central_interval` gives them.

    survivals: (n, L) S[k] in float64. level: of the forecast's own interval that stands for a level; from 1 on it has
    no ends.
    """

    def quantile_of(probability: float) -> Floats:
        return (survivals > 1 - probability).sum(1).astype(np.float64)

    def ends(own: float) -> tuple[Floats, Floats]:
        if own >= 1:
            return np.zeros(len(survivals)), np.full(len(survivals), float(survivals.shape[1]))
        return quantile_of((1 - own) / 2), quantile_of((1 + own) / 2)

    return {label: ends(level(each)) for label, each in LEVELS.items()}


def interval_coverage(
    lower: Floats, upper: Floats, time: Floats, event: Bools, horizon: int
) -> dict[str, float | int | None]:
    """The share with lower <= tau <= upper, for intervals (n,) as `central_interval` gives them.

    Only a closed interval (its upper end is below L) is known to hold tau or not, also where the event comes after the
    horizon. Of an open one it is known whether tau is at or above the lower end. Whether an interval is closed depends
    on the forecast alone, so neither share is changed by looking at them apart. Windows of censored units that were
    last seen inside the horizon are left out.

    Args:
        time: (n,) min(tau, L) in cycles. event: (n,) tau < L and seen.

    Returns:
        coverage: the share of closed intervals that hold tau; at least the level for a calibrated forecast.
        mean_width: of these, in cycles. num_windows: how many these are.
        open_share: the share of open intervals among all. lower_end_coverage: the share of open intervals with a lower
        end below L that have tau at or above it; at least (1 + level) / 2 for a calibrated forecast.
        None where there is nothing to count.
    """
    known = event | (time >= horizon)
    is_open = upper >= horizon
    closed = known & ~is_open
    one_sided = known & is_open & (lower < horizon)
    return {
        "coverage": _mean(((lower <= time) & (time <= upper))[closed]),
        "mean_width": _mean((upper - lower)[closed]),
        "num_windows": int(closed.sum()),
        "open_share": _mean(is_open),
        "lower_end_coverage": _mean((lower <= time)[one_sided]),
    }


def unit_coverage(
    lower: Floats, upper: Floats, time: Floats, event: Bools, horizon: int, unit: NDArray[np.int64]
) -> float | None:
    """The share of a unit's rows whose interval holds tau, the mean over the units; arguments as `interval_coverage`.

    An open interval holds what is at or above its lower end.
    """
    known = event | (time >= horizon)
    held = (lower <= time) & ((time <= upper) | (upper >= horizon))
    _, number = np.unique(unit[known], return_inverse=True)
    if not len(number):
        return None
    return float((np.bincount(number, held[known]) / np.bincount(number)).mean())


def evaluate_intervals(ends: Ends, time: Floats, event: Bools, horizon: int, unit: NDArray[np.int64]) -> dict[str, Any]:
    """`interval_coverage` and `unit_coverage` of the intervals of each of `LEVELS`; unit: (n,) of each window."""
    result: dict[str, Any] = {}
    for label, (lower, upper) in ends.items():
        result[label] = interval_coverage(lower, upper, time, event, horizon)
        result[label]["unit_coverage"] = unit_coverage(lower, upper, time, event, horizon, unit)
    return result


def coverage_sums(
    ends: Ends, time: Floats, event: Bools, horizon: int, number: NDArray[np.int64], num_units: int
) -> dict[str, dict[str, UnitSums]]:
    """The sums over units of which the numbers of `evaluate_intervals` are made; number: (n,) the unit, from 0."""
    known, everything = event | (time >= horizon), np.ones(len(time), dtype=np.bool_)
    result = {}
    for label, (lower, upper) in ends.items():
        is_open = upper >= horizon
        values = {
            "coverage": ((lower <= time) & (time <= upper), known & ~is_open),
            "mean_width": (upper - lower, known & ~is_open),
            "open_share": (is_open, everything),
            "lower_end_coverage": (lower <= time, known & is_open & (lower < horizon)),
        }
        result[label] = {
            name: UnitSums.of(each.astype(np.float64), counted, number, num_units)
            for name, (each, counted) in values.items()
        }
        holds = (lower <= time) & ((time <= upper) | is_open)
        held = UnitSums.of(holds.astype(np.float64), known, number, num_units)
        share = np.divide(held.total, held.count, out=np.zeros(num_units), where=held.count > 0)
        result[label]["unit_coverage"] = UnitSums(share, (held.count > 0).astype(np.float64))
    return result


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
