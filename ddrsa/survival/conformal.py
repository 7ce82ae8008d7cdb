"""Conformal intervals of the remaining useful life: of a new unit, at a row that is drawn at random, they hold the true
one with at least the probability that they name, whatever the model.

A central interval of the forecast holds tau from some level on: that level is the score of the row (Chernozhukov,
Wuthrich, Zhu, "Distributional conformal prediction", PNAS 118, 2021). The conformal level is a quantile of the scores
of units that neither trained nor chose the model. Rows of one unit are not exchangeable with those of others, but units
are: each unit counts as one score, that of one of its rows at random (Dunn, Wasserman, Ramdas, "Distribution-free
prediction sets for two-layer hierarchical models", JASA 118, 2023), and instead of drawing one, all rows of a unit
share its weight (Lee, Barber, Willett, "Distribution-free inference with hierarchical data", 2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ddrsa.survival.hazard import survival
from ddrsa.survival.intervals import Ends, interval_ends

Floats = NDArray[np.float64]

# An interval's upper end holds tau only above its score.
_ABOVE = 1e-9


@dataclass(frozen=True)
class Conformal:
    """The levels of the model's own central intervals whose coverage is 1 %, 2 %, ... 99 %: `levels`, 99 of them.

    A level of 1 stands for an interval without ends: the units are too few for more. num_units: of the scores. units:
    `policy` where they had no other use, `validation` where they have also chosen the epoch and the calibration: then
    the coverage is that of units which the model knows a little.
    """

    levels: tuple[float, ...]
    num_units: int
    units: str

    def level(self, coverage: float) -> float:
        """The level of the model's interval for a `coverage`; between two whole percents that of the larger one."""
        percent = math.ceil(round(100 * coverage, 6))
        return self.levels[percent - 1] if percent < 100 else 1.0

    @property
    def caveat(self) -> str | None:
        """Why the coverage is not exactly promised, in words; None where it is."""
        if self.units != "validation":
            return None
        return (
            f"the {self.num_units} validation units that tune conformal intervals have also chosen the epoch (and a "
            "fitted calibration), so that their coverage is only nearly the promised one; dataset.policy_fraction=0.3 "
            "keeps units for it alone"
        )

    def ends(self, survivals: Floats) -> Ends:
        """As `interval_ends`, of the conformal levels."""
        return interval_ends(survivals, self.level)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return {"levels": list(self.levels), "num_units": self.num_units, "units": self.units}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Conformal:
        """What `to_dict` gave. Raises ValueError where it is something else."""
        levels = tuple(float(level) for level in values["levels"])
        if len(levels) != 99 or not all(0 <= level <= 1 for level in levels):
            raise ValueError("99 levels from 0 to 1 are expected")
        return cls(levels, int(values["num_units"]), str(values["units"]))


def fit_conformal(logits: Tensor, unit: NDArray[np.int64], time_to_event: Floats, units: str) -> Conformal:
    """From the forecasts (N, L) at every row of whole units that ran to failure; units: as of `Conformal`."""
    scores = conformity_scores(survival(logits.double()).cpu().numpy(), time_to_event)
    _, number, counts = np.unique(unit, return_inverse=True, return_counts=True)
    order = np.argsort(scores)
    # The new unit is one more, of which nothing is known.
    weight = (1 / (counts[number] * (len(counts) + 1)))[order].cumsum()
    levels = []
    for percent in range(1, 100):
        at = int(np.searchsorted(weight, percent / 100 - 1e-12))
        levels.append(min(float(scores[order[at]]) + _ABOVE, 1.0) if at < len(order) else 1.0)
    return Conformal(tuple(levels), len(counts), units)


def conformity_scores(survivals: Floats, time_to_event: Floats) -> Floats:
    """(N,) the level above which the central interval of each forecast holds tau: an open one holds what is beyond L.

    Args:
        survivals: (N, L) S[k] = P(tau > k). time_to_event: (N,) tau.

    lower <= tau, where S[tau] <= (1 + level) / 2; upper >= tau, where S[tau - 1] > (1 - level) / 2.
    """
    horizon = survivals.shape[1]
    rows = np.arange(len(survivals))
    at = np.minimum(time_to_event, horizon).astype(np.int64)
    here = np.where(at < horizon, survivals[rows, np.minimum(at, horizon - 1)], 0.0)
    before = np.where(at > 0, survivals[rows, np.maximum(at - 1, 0)], 1.0)
    return np.maximum(np.maximum(2 * here - 1, 1 - 2 * before), 0.0)
