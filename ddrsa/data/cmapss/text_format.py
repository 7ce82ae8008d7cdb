"""The 26-column text of C-MAPSS: unit, cycle, three settings and 21 sensors, separated by blanks, no header.

Saxena and Goebel, "Turbofan Engine Degradation Simulation Data Set", NASA Prognostics Center of Excellence, 2008.
Every file may be plain or end in .gz.
"""

from __future__ import annotations

import gzip
import math
import warnings
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError

SETTINGS = tuple(f"setting_{number}" for number in range(1, 4))
SENSORS = tuple(f"sensor_{number}" for number in range(1, 22))
FEATURES = SETTINGS + SENSORS
COLUMNS = ("unit", "cycle", *FEATURES)

# The digits behind the point in NASA's files, column by column.
DECIMALS = dict(
    zip(COLUMNS, [0, 0, 4, 4, 1, *[2] * 14, 4, 2, 0, 0, 2, 2, 4], strict=True)  # sensors 15 and 21 have four digits
)


def read_table(path: Path) -> pd.DataFrame:
    """The rows of the file: `COLUMNS`, unit and cycle int64, the others float64.

    Raises DataError (one line: path, place, what was found and what is expected) where the file is empty, a row has
    not 26 columns, a cell is no finite number, a unit's cycles are not 1, 2, ..., n, or a unit comes back later.
    """
    try:
        # pandas' fast parser may miss the nearest float64 by one unit in the last place; this one does not.
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # an empty file is an error below
            values = np.loadtxt(path, comments=None, ndmin=2, encoding="utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        _raise_first_error(path)
        raise DataError(f"{path} cannot be read: {error}") from error
    if not values.size:
        raise DataError(f"{path} is empty, rows of {len(COLUMNS)} columns are expected")
    if values.shape[1] != len(COLUMNS) or not np.isfinite(values).all():
        _raise_first_error(path)
    return check_table(pd.DataFrame(values, columns=list(COLUMNS)), path)


def check_table(table: pd.DataFrame, source: Path | str) -> pd.DataFrame:
    """`COLUMNS` of the table, unit and cycle int64, the others float64. Other columns are left out.

    Raises DataError (`source`, place, what was found) where a column is missing or not of finite numbers, a unit's
    cycles are not 1, 2, ..., n, or a unit comes back later.
    """
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise DataError(
            f"{source} has no column {', '.join(missing)}; unit, cycle, setting_1 to setting_{len(SETTINGS)} and "
            f"sensor_1 to sensor_{len(SENSORS)} are expected"
        )
    if not len(table):
        raise DataError(f"{source} has no rows")
    numbers = table[list(COLUMNS)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    for column in COLUMNS:
        wrong = table[column][~np.isfinite(numbers[column])]
        if len(wrong):
            found = wrong.tolist()[0]
            raise DataError(f"{source}, row {wrong.index[0] + 1}, column {column}: {found!r} is not a finite number")
    for column in ("unit", "cycle"):
        fraction = numbers[column][numbers[column] % 1 != 0]
        if len(fraction):
            raise DataError(f"{source}: {column} {fraction.iloc[0]} is not a whole number")
    numbers = numbers.astype({"unit": np.int64, "cycle": np.int64})
    _check_cycles(source, numbers["unit"].to_numpy(), numbers["cycle"].to_numpy())
    return numbers


def _raise_first_error(path: Path) -> None:
    """Raise DataError for the first line that is not 26 finite numbers; return where there is none."""
    for number, cells in _lines(path):
        if len(cells) != len(COLUMNS):
            raise DataError(f"{path}, line {number}: {len(cells)} columns found, {len(COLUMNS)} are expected")
        for column, cell in zip(COLUMNS, cells, strict=True):
            _finite(cell, f"{path}, line {number}, column {column}")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number (from 1) and the cells of each line that is not blank."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                if cells := line.split():
                    yield number, cells
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _finite(cell: str, place: str) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise DataError(f"{place}: {cell!r} is not a number") from error
    if not math.isfinite(value):
        raise DataError(f"{place}: {cell!r} is not a finite number")
    return value


def _check_cycles(source: Path | str, unit: NDArray[np.int64], cycle: NDArray[np.int64]) -> None:
    new_unit = np.append(True, np.diff(unit) != 0)
    ids, counts = np.unique(unit[new_unit], return_counts=True)
    if (counts > 1).any():
        raise DataError(f"{source}: unit {ids[counts > 1][0]} comes back after the rows of another unit")
    expected = np.where(new_unit, 1, np.append(0, cycle[:-1]) + 1)
    wrong = np.flatnonzero(cycle != expected)
    if not len(wrong):
        return
    row = wrong[0]
    if new_unit[row]:
        raise DataError(f"{source}: unit {unit[row]} starts at cycle {cycle[row]}, it must start at cycle 1")
    if cycle[row] == cycle[row - 1]:
        raise DataError(f"{source}: unit {unit[row]} has cycle {cycle[row]} twice")
    if cycle[row] < cycle[row - 1]:
        raise DataError(f"{source}: unit {unit[row]} goes back from cycle {cycle[row - 1]} to cycle {cycle[row]}")
    raise DataError(f"{source}: unit {unit[row]} goes from cycle {cycle[row - 1]} to cycle {cycle[row]}, with a gap")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write `COLUMNS` of the table with NASA's digits (`DECIMALS`); values with more digits are rounded."""
    formats = [f"%.{DECIMALS[column]}f" for column in COLUMNS]
    np.savetxt(path, table[list(COLUMNS)].to_numpy(np.float64), fmt=formats)


def round_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table at the precision that `write_table` keeps; adding 0 turns -0.0 into 0.0."""
    return table.round(DECIMALS) + 0


def read_rul(path: Path, num_units: int) -> NDArray[np.float64]:
    """(num_units,) cycles from the last row of each unit to its failure, one number on each line.

    Raises DataError where a line is not one finite number of at least 0, or the count differs from `num_units`.
    """
    values = []
    for number, cells in _lines(path):
        if len(cells) != 1:
            raise DataError(f"{path}, line {number}: {len(cells)} numbers found, one is expected")
        values.append(_finite(cells[0], f"{path}, line {number}"))
        if values[-1] < 0:
            raise DataError(f"{path}, line {number}: the remaining useful life {cells[0]} is negative")
    if len(values) != num_units:
        raise DataError(f"{path} has {len(values)} numbers, one for each of the {num_units} units is expected")
    return np.array(values, dtype=np.float64)


def sequences_from_table(
    table: pd.DataFrame, *, rul: NDArray[np.float64] | None = None, censored: Collection[int] = ()
) -> Sequences:
    """Sequences with the features `FEATURES` of a table as `read_table` returns it.

    rul: (U,) cycles from each unit's last row to its failure; None where every unit ends with it.
    censored: the units whose failure was not observed.
    """
    unit = table["unit"].to_numpy(np.int64)
    _, starts, counts = np.unique(unit, return_index=True, return_counts=True)
    by_row = np.argsort(starts)  # np.unique sorts by id; the rows may lie in another order
    counts = counts[by_row]
    length = np.repeat(counts, counts)
    after = np.zeros(len(unit)) if rul is None else np.repeat(rul, counts)
    return Sequences(
        features=table[list(FEATURES)].to_numpy(np.float64),
        unit=unit,
        time_to_event=(length - table["cycle"].to_numpy() + after).astype(np.float32),
        event_observed=~np.isin(unit, list(censored)),
        feature_names=FEATURES,
    )
