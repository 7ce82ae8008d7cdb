"""Durations: as the cells of a column, and as the step of a table."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ddrsa.data.table.source import Table
from ddrsa.errors import DataError


def durations(table: Table, column: str) -> pd.Series:
    """A column of durations such as 36h in nanoseconds, float64; NaN where a cell is empty or is none."""
    values = table.frame[column]
    if pd.api.types.is_numeric_dtype(values.dtype):
        return pd.Series(np.nan, index=values.index)
    written = values.replace("", None)
    if values.dtype.kind != "m":
        # A number alone would be one of nanoseconds.
        written = written.mask(written.astype(str).str.fullmatch(r"\s*[+-]?\d+([.,]\d*)?\s*"), "?")
    return pd.to_timedelta(written, errors="coerce") / pd.Timedelta(nanoseconds=1)


def step_in_nanoseconds(step: str, key: str = "dataset.step") -> int:
    """The length of a duration such as 15h. Raises DataError where it is none, or is not above 0."""
    try:
        # A number alone would be one of nanoseconds.
        length = pd.Timedelta(step if re.search("[A-Za-zµ:]", step) else f"{step} of what").as_unit("ns").value
    except (ValueError, OverflowError) as error:
        raise DataError(f"{key}={step}: allowed is a duration of a fixed length such as 30min, 15h or 1D") from error
    if length <= 0:
        raise DataError(f"{key}={step}: allowed is a duration above 0")
    return int(length)
