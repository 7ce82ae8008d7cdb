"""Record of what the features were in training: what new rows are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddrsa.data.sequences import Sequences

NUM_SHARES = 10
# Rows that the quantiles are taken of, evenly spread over all: enough for three digits, and a moment's work.
_SAMPLED_ROWS = 100_000
_ARRAYS = ("minimum", "maximum", "median", "edges", "shares")


@dataclass(frozen=True, eq=False)
class TrainingInputs:
    """Range and distribution of each of the F features over the rows of the training units, before scaling.

    feature_names: F names. minimum, maximum, median: (F,), in the units of the data.
    edges: (F, 9) the quantiles at 10, 20, ... 90 %. shares: (F, 10) the share of rows from one edge to the next, which
    is a tenth unless values stand there many times; a row lies in share i where edges[i - 1] < value <= edges[i].
    step: from row to row, as in `Labels`; None where it is not known. dates: whether `step` is in seconds.
    unchanged: (F,) how many rows on end were at most the same as the one before them; None where it was not recorded.
    """

    feature_names: tuple[str, ...]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    median: NDArray[np.float64]
    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    step: float | None = None
    dates: bool = False
    unchanged: NDArray[np.int64] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and strings, for a checkpoint."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        unchanged = None if self.unchanged is None else self.unchanged.tolist()
        return {
            "feature_names": list(self.feature_names),
            **arrays,
            "step": self.step,
            "dates": self.dates,
            "unchanged": unchanged,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> TrainingInputs:
        """What `to_dict` gave the content of. Raises KeyError, TypeError or ValueError where it is none."""
        names = tuple(content["feature_names"])
        arrays = {name: np.array(content[name], dtype=np.float64) for name in _ARRAYS}
        for name, width in (("edges", NUM_SHARES - 1), ("shares", NUM_SHARES)):
            arrays[name] = arrays[name].reshape(len(names), width)
        unchanged = content.get("unchanged")
        if unchanged is not None:
            unchanged = np.array(unchanged, dtype=np.int64).reshape(len(names))
        found = cls(
            feature_names=names,
            **arrays,
            step=content.get("step"),
            dates=content.get("dates", False),
            unchanged=unchanged,
        )
        if not len(found.minimum) == len(found.maximum) == len(found.median) == len(names):
            raise ValueError(f"the training inputs have {len(names)} names and {len(found.minimum)} ranges")
        return found


def training_inputs(training: Sequences) -> TrainingInputs:
    """The record of the training units, whose features are not scaled yet."""
    stride = max(1, training.num_rows // _SAMPLED_ROWS)
    sample = np.asarray(training.features[::stride], dtype=np.float64)
    quantiles = np.quantile(sample, np.linspace(0, 1, NUM_SHARES + 1)[1:-1], axis=0, method="inverted_cdf").T
    return TrainingInputs(
        training.feature_names,
        training.features.min(axis=0).astype(np.float64),
        training.features.max(axis=0).astype(np.float64),
        np.median(sample, axis=0),
        quantiles,
        shares_between(sample, quantiles),
        None if training.labels is None else training.labels.step,
        training.labels is not None and training.labels.has_dates,
        np.array([unchanged_rows(training, column).max() for column in range(len(training.feature_names))]),
    )


def unchanged_rows(units: Sequences, column: int) -> NDArray[np.int64]:
    """(N,) how many rows on end, up to each, have the value of the row before them in their unit."""
    values = units.features[:, column]
    index = np.arange(units.num_rows)
    changes = np.append(True, values[1:] != values[:-1]) | (units.unit_start_of_row == index)
    return index - np.maximum.accumulate(np.where(changes, index, 0))


def shares_between(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F, 10) the share of the rows of `values` (N, F) in each of the intervals that `edges` (F, 9) part."""
    counts = [
        np.bincount(np.searchsorted(of_feature, column, side="left"), minlength=NUM_SHARES)
        for of_feature, column in zip(edges, values.T, strict=True)
    ]
    return np.array(counts, dtype=np.float64) / max(len(values), 1)


def population_stability(known: TrainingInputs, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F,) the population stability index of rows (N, F) against the training: 0 where both are spread alike.

    The sum over the ten shares of (p - q) ln(p / q), p of the rows and q of the training (Siddiqi, "Credit Risk
    Scorecards", 2006; the symmetric divergence of Jeffreys). A share without a row counts as half a row. Without any
    change n times the index of n independent rows is about chi-square with 9 degrees of freedom (Yurdakul, "Statistical
    Properties of Population Stability Index", 2018).
    """
    rows = max(len(values), 1)
    now = shares_between(values, known.edges)
    in_use = (known.shares > 0) | (now > 0)
    lowest = 0.5 / rows
    p, q = np.where(now > 0, now, lowest), np.where(known.shares > 0, known.shares, lowest)
    return np.asarray(np.where(in_use, (p - q) * np.log(p / q), 0.0).sum(axis=1))
