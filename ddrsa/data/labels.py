"""Names of units and times of rows, as the user's files have them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Labels:
    """What U units and their N rows are called in the user's files.

    unit: U texts; several lives of one machine have the same. life: (U,) int64, the number of the unit's life within
        its machine, from 1; None where no machine has several.
    time: (N,) of each row: datetime64[ns] in UTC, or a number in units of the time column; None where rows are cycles.
        Of resampled rows the beginning of the step.
    zone: of the dates, such as Europe/Berlin or UTC+02:00; None where the files name none.
    step: from row to row, in seconds for dates, else in units of the time column; None where no unit has two rows.
    first: (U,) int64, how many rows of each unit's life were left out before its first; None where none were.
    """

    unit: tuple[str, ...]
    life: NDArray[np.int64] | None = None
    time: NDArray[np.datetime64] | NDArray[np.int64] | NDArray[np.float64] | None = None
    zone: str | None = None
    step: float | None = None
    first: NDArray[np.int64] | None = None

    @property
    def has_dates(self) -> bool:
        """Whether the times are dates, and `step` seconds."""
        return self.time is not None and self.time.dtype.kind == "M"

    @property
    def titles(self) -> tuple[str, ...]:
        """U texts that name each unit alone: `CMP-001`, or `CMP-001 (life 3)`."""
        if self.life is None:
            return self.unit
        return tuple(f"{name} (life {life})" for name, life in zip(self.unit, self.life, strict=True))

    def row_times(self, rows: NDArray[np.int64]) -> pd.Index | None:
        """The times of some rows, dates in their zone; None where rows are cycles."""
        if self.time is None:
            return None
        if not self.has_dates:
            return pd.Index(self.time[rows])
        dates = pd.DatetimeIndex(self.time[rows])
        return dates if self.zone is None else dates.tz_localize("UTC").tz_convert(self.zone)

    def select(self, units: NDArray[np.bool_], rows: NDArray[np.bool_]) -> Labels:
        """The labels of some units (U,) and their rows (N,)."""
        return replace(
            self,
            unit=tuple(name for name, chosen in zip(self.unit, units, strict=True) if chosen),
            life=None if self.life is None else self.life[units],
            time=None if self.time is None else self.time[rows],
            first=None if self.first is None else self.first[units],
        )
