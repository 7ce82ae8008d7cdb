"""Doubts about a forecast: inputs that training never saw, and forecasts that are no number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddrsa.data.inputs import unchanged_rows
from ddrsa.data.sequences import Sequences
from ddrsa.texts import count_of
from ddrsa.trained import TrainedRun

# How far beyond the range of the training units a value is far outside, in widths of that range. New units are often a
# little outside: in C-MAPSS, Azure's set and simulated fleets test units go up to 0.46 of the width beyond.
FAR_OUTSIDE = 0.5

# A value stands still where it repeats twice as long as ever in training, and for a good part of the window.
STILL_ROWS, STILL_PART = 3, 4

_NAMED = 3


@dataclass(frozen=True, eq=False)
class Doubts:
    """What speaks against the forecasts at R rows.

    texts: R sentences, empty where nothing does. unknown: (R,) bool, whether the model was asked about values that it
    reads and training never saw anything like: its silence is then no reason to go on.
    """

    texts: list[str]
    unknown: NDArray[np.bool_]


def find_doubts(run: TrainedRun, units: Sequences, rows: NDArray[np.int64]) -> Doubts:
    """The doubts about forecasts at `rows`, (R,), from the lookback rows up to each. units: not scaled yet."""
    texts: list[list[str]] = [[] for _ in rows]
    unknown = np.zeros(len(rows), dtype=np.bool_)
    first = np.maximum(units.unit_start_of_row[rows], rows - run.config.lookback + 1)
    if run.inputs is not None:
        selected, known = run.selected(units), run.inputs
        width = known.maximum - known.minimum
        # A constant of the training, which the model does not read, is another one as soon as its digits differ.
        margin = np.where(width > 0, FAR_OUTSIDE * width, 1e-6 * np.abs(known.maximum))
        read = np.isin(np.arange(len(width)), run.scaler.kept)
        values = np.asarray(selected.features, dtype=np.float64)
        beyond = np.maximum(known.minimum - margin - values, values - known.maximum - margin)
        far = beyond > 0
        for column in np.flatnonzero(far.any(axis=0)):
            of_windows = _any_between(far[:, column], first, rows)
            unknown |= of_windows & read[column]
            for index in np.flatnonzero(of_windows):
                window = slice(first[index], rows[index] + 1)
                worst = first[index] + int(np.argmax(beyond[window, column]))
                texts[index].append(_far_outside(run, int(column), float(values[worst, column]), bool(read[column])))
        if known.unchanged is not None:
            for column in np.flatnonzero(read):
                still = unchanged_rows(selected, int(column))
                limit = max(2 * int(known.unchanged[column]), max(STILL_ROWS, run.config.lookback // STILL_PART) - 1)
                # Of a window only the rows behind its first can repeat one that it has.
                of_windows = _any_between(still > limit, np.minimum(first + limit + 1, rows + 1), rows)
                unknown |= of_windows
                for index in np.flatnonzero(of_windows):
                    most = int(np.minimum(still[first[index] : rows[index] + 1], rows[index] - first[index]).max())
                    texts[index].append(
                        f"{known.feature_names[column]} stands still for {most + 1} rows, in training for "
                        f"{known.unchanged[column] + 1} at most: no reports, or a sensor that is stuck"
                    )
    for category, text in run.unseen_categories(units):
        for index in np.flatnonzero(_any_between(units.features[:, category] != 0, first, rows)):
            texts[index].append(text)
    return Doubts([_in_short(found) for found in texts], unknown)


def _any_between(flags: NDArray[np.bool_], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(R,) whether any of `flags` (N,) is set from `first` to `last`, both included."""
    count = np.append(0, np.cumsum(flags))
    return np.asarray(count[last + 1] > count[first])


def _far_outside(run: TrainedRun, column: int, value: float, read: bool) -> str:
    known = run.inputs
    assert known is not None
    name, low, high = known.feature_names[column], known.minimum[column], known.maximum[column]
    if not read:
        return f"{name} is {value:.6g}, in training it was {low:.6g} throughout, and so the model does not read it"
    return f"{name} is {value:.6g}, far outside of the training ({low:.6g} to {high:.6g})"


def _in_short(found: list[str]) -> str:
    more = [count_of(len(found) - _NAMED, "more feature")] if len(found) > _NAMED + 1 else found[_NAMED:]
    return "; ".join([*found[:_NAMED], *more])
