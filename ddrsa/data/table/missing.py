"""Missing values of features."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.lives import Lives
from ddrsa.data.table.steps import Steps
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError
from ddrsa.texts import count_of

log = logging.getLogger(__name__)


def without_missing(
    rows: pd.DataFrame, steps: Steps, lives: Lives, options: TableOptions
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """The rows with nothing missing, and which of them are kept: those from the first that has a value of everything.

    Raises DataError where something is missing and `options.missing` is "error", and where a unit has no value at all
    of a feature that other units have.
    """
    missing = rows.isna()
    counts = missing.sum()
    empty = list(rows.columns[counts.to_numpy() == len(rows)])
    if empty and len(empty) == rows.shape[1]:
        raise DataError(f"no feature has a value: {', '.join(empty)}")
    if empty:
        log.warning("left out because they have no value in any row: %s", ", ".join(empty))
        rows, missing, counts = rows.drop(columns=empty), missing.drop(columns=empty), counts.drop(empty)
    if not missing.to_numpy().any():
        return rows, np.ones(len(rows), dtype=np.bool_)
    for column in rows.columns[counts.to_numpy() > 0]:
        if options.missing == "error":
            row = np.flatnonzero(missing[column])[0]
            raise DataError(
                f"column {column} has no value in {counts[column]} of {len(rows)} rows, first in unit "
                f"{lives.names[steps.life[row]]}; dataset.missing=forward takes the last value before them"
            )
        of_life = rows[column].notna().groupby(steps.life).any()
        if not of_life.all():
            raise DataError(
                f"column {column} has no value in any row of unit {lives.names[of_life.index[~of_life][0]]} "
                f"({count_of((~of_life).sum(), 'unit')} in all); name it in dataset.exclude_columns, or leave such "
                "units out"
            )
        log.warning("%s: %d of %d values are missing, the last before each is taken", column, counts[column], len(rows))
    filled = rows.groupby(steps.life, observed=True).ffill()
    kept = filled.notna().all(axis=1).to_numpy()
    if not kept.all():
        log.warning("%s before the first value of a feature in the unit: left out", count_of((~kept).sum(), "row"))
    gone = np.setdiff1d(steps.life, steps.life[kept])
    if len(gone):
        raise DataError(f"unit {lives.names[gone[0]]} has no row from which on every feature has a value")
    return filled[kept].reset_index(drop=True), kept
