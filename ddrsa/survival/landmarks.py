"""Landmarks: how good forecasts are that are made at one age, where the age alone tells no units apart.

Van Houwelingen, "Dynamic prediction by landmarking in event history analysis", Scandinavian Journal of Statistics 34
(2007). At one age a unit has one window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.survival.metrics import Bools, Floats, concordance_index, ratio
from ddrsa.survival.pairs import pairs_by_unit, resampled_concordance
from ddrsa.survival.unit_bootstrap import interval

# The landmarks: quantiles of the ages of the windows that are judged.
LANDMARKS = (0.1, 0.3, 0.5, 0.7, 0.9)

Brier = tuple[Floats, Bools]
"""Of `metrics.brier_scores`: the weighted squared errors (n, L), and which of them count."""


def landmarks(
    time: Floats, event: Bools, predicted: Floats, brier: Brier, age_brier: Brier, age: Floats
) -> list[dict[str, Any]]:
    """At each of LANDMARKS the concordance and Brier score of the windows of that age, beside those of the age alone.

    The Brier score is that of failing within w cycles, w a quarter, half and all of the horizon.

    Args:
        time, event, predicted: as of the metrics. brier, age_brier: of the forecasts and of `survival_by_age`.
        age: (n,) of the windows, from 0.
    """
    kinds = (("forecast", brier), ("age_alone", age_brier))
    return [
        {
            "age": at,
            "num_units": len(rows),
            "concordance_index": concordance_index(time[rows], event[rows], predicted[rows]),
            "brier_score": [
                {
                    "window": w,
                    **{name: float(ratio(*(each[rows, w - 1].sum() for each in both))) for name, both in kinds},
                }
                for w in _windows(brier)
            ],
        }
        for at, rows in _at_landmarks(age)
    ]


def landmark_intervals(
    time: Floats,
    event: Bools,
    predicted: Floats,
    brier: Brier,
    age_brier: Brier,
    age: Floats,
    number: NDArray[np.int64],
    weights: Floats,
) -> list[dict[str, Any]]:
    """The intervals of what `landmarks` gives, as it stands there.

    Args: as of `landmarks`; number: (n,) the unit of each window, from 0; weights: (B, U) how often each is drawn.
    """
    kinds = (("forecast", brier), ("age_alone", age_brier))
    result = []
    for at, rows in _at_landmarks(age):
        drawn = weights[:, number[rows]]
        pairs = pairs_by_unit(time[rows], event[rows], predicted[rows], np.arange(len(rows)))
        scores = [
            {
                "window": w,
                **{
                    name: interval(ratio(drawn @ each[rows, w - 1], drawn @ counts[rows, w - 1]))
                    for name, (each, counts) in kinds
                },
            }
            for w in _windows(brier)
        ]
        concordance = interval(resampled_concordance(pairs, drawn))
        result.append({"age": at, "concordance_index": concordance, "brier_score": scores})
    return result


def _at_landmarks(age: Floats) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each landmark and the windows of that age."""
    for at in dict.fromkeys(np.quantile(age, LANDMARKS, method="nearest").tolist()):
        yield int(at), np.flatnonzero(age == at)


def _windows(brier: Brier) -> list[int]:
    horizon = brier[0].shape[1]
    return sorted({max(1, horizon // 4), max(1, horizon // 2), horizon})
