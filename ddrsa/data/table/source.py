"""A table as it was read, and where each of its rows stands in the user's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.errors import DataError


@dataclass(frozen=True)
class Part:
    """The rows of one file, from row `start` of the table. place: of the row with a number from 0, in words."""

    start: int
    place: Callable[[int], str]


@dataclass(frozen=True, eq=False)
class Table:
    """frame: with a RangeIndex, all columns named by texts. parts: the files, in the order of their rows.

    cells: what is no text in the files (a Parquet column of numbers) keeps its type; a text is as it stands there.
    """

    frame: pd.DataFrame
    parts: Sequence[Part]

    @property
    def columns(self) -> list[str]:
        return [str(column) for column in self.frame.columns]

    def place(self, row: int) -> str:
        """Where a row of the frame stands: `pumps.csv, line 17`."""
        part = [part for part in self.parts if part.start <= row][-1]
        return part.place(row - part.start)

    def error(self, column: str, row: int, what: str) -> DataError:
        """The error that a cell cannot be used: `pumps.csv, line 17: column temp has '60,1', ...`.

        row: its label in the frame. what: behind the value of the cell.
        """
        value: Any = self.frame[column].loc[row]
        value = value.item() if isinstance(value, np.generic) else value
        scalar = pd.api.types.is_scalar(value)
        none = value is None or value is pd.NA or (scalar and (value == "" or value != value))
        has = "has no value" if none else f"has {value!r}"
        return DataError(f"{self.place(row)}: column {' '.join(column.split())} {has}{what}")

    def require(self, column: str, holds: NDArray[np.bool_] | pd.Series, what: str) -> None:
        """Raise `error` for the first row that does not hold."""
        wrong = np.flatnonzero(~np.asarray(holds, dtype=np.bool_))
        if len(wrong):
            raise self.error(column, int(wrong[0]), what)


def frame_table(frame: pd.DataFrame) -> Table:
    """The table of a DataFrame of the user's; its rows are counted from 1."""
    return Table(frame.rename(columns=str).reset_index(drop=True), [Part(0, lambda row: f"row {row + 1}")])
