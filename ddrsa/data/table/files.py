"""The files of `dataset=table`: found, read into one table, and their columns chosen and checked."""

from __future__ import annotations

import glob
import logging
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ddrsa.data.options import TableOptions
from ddrsa.errors import DataError
from ddrsa.extras import needed

log = logging.getLogger(__name__)

_MISSING = ["", "#N/A", "#NA", "N/A", "NA", "<NA>", "NULL", "NaN", "None", "n/a", "nan", "-nan", "-NaN", "null"]

FILE_UNIT = "file"
"""The unit column where each file is one unit."""


def find_table_files(path: str) -> list[Path]:
    """The files that `path` names, in the order of their names: one, or those that the pattern matches.

    Raises DataError where there is none.
    """
    expanded = Path(path).expanduser()
    if expanded.is_file():
        return [expanded]
    if expanded.is_dir():
        raise DataError(f"dataset.path={path} is a folder: allowed is a file, or a pattern such as '{path}/*.csv'")
    found = sorted(Path(name) for name in glob.glob(str(expanded), recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
    files = [name for name in found if name.is_file()]
    if not files:
        raise DataError(f"dataset.path={path} matches no file (from {Path.cwd()})")
    return files


def read_files(files: list[Path], options: TableOptions) -> pd.DataFrame:
    """The rows of all files, one after the other; with a column `FILE_UNIT` where `unit_column` is null.

    Raises DataError where a file cannot be read, has no rows, or has other columns than the first.
    """
    tables: list[pd.DataFrame] = []
    for path in files:
        table = _read_file(path, options)
        if table.empty:
            raise DataError(f"{path} has no rows")
        if tables and set(table.columns) != set(tables[0].columns):
            odd = sorted(set(map(str, set(table.columns) ^ set(tables[0].columns))))
            raise DataError(f"{path} has other columns than {files[0]}: only one of them has {', '.join(odd)}")
        tables.append(table)
    if options.unit_column is None:
        names = [path.name.partition(".")[0] for path in files]
        if len(set(names)) < len(names):
            names = list(map(str, files))
        tables = [table.assign(**{FILE_UNIT: name}) for name, table in zip(names, tables, strict=True)]
        log.info("each of the %d files is one unit, with its name", len(files))
    return pd.concat(tables, ignore_index=True)


def _read_file(path: Path, options: TableOptions) -> pd.DataFrame:
    try:
        if {".parquet", ".pq"} & set(path.suffixes):
            needed("pyarrow", f"{path}, a Parquet file,")
            return pd.read_parquet(path).reset_index(drop=True)
        how: dict[str, Any] = {"sep": options.separator, "skipinitialspace": True, "index_col": False}
        columns = pd.read_csv(path, nrows=0, **how).columns
        # A name is a text: 007 is not 7, and NA may be one.
        return pd.read_csv(
            path,
            dtype={options.unit_column: str} if options.unit_column in columns else None,
            keep_default_na=False,
            na_values={column: _MISSING if column != options.unit_column else [""] for column in columns},
            low_memory=False,
            **how,
        )
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty") from error
    # pyarrow's own errors are ValueErrors or OSErrors.
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def choose_features(table: pd.DataFrame, options: TableOptions) -> tuple[list[str], list[str]]:
    """The numeric and the categorical feature columns, in the order of the file.

    A pattern of `feature_columns` never matches a column that another key names; the time column can be a feature if
    it is named in full. Raises DataError for a column that is not there or cannot be a feature, and for a pattern that
    matches nothing.
    """
    columns = [str(column) for column in table.columns]
    unit = options.unit_column or FILE_UNIT
    answers = {options.event_column, options.time_to_event_column} - {None}
    named = {unit, options.time_column, options.group_column, *answers, *options.categorical_columns}
    for key in ("time_column", "event_column", "time_to_event_column", "group_column"):
        column = getattr(options, key)
        if column is not None and column not in columns:
            raise _no_column(key, column, columns)
    if unit not in columns:
        raise _no_column("unit_column", unit, columns)
    for column in options.categorical_columns:
        if column not in columns:
            raise _no_column("categorical_columns", column, columns)
    chosen = set()
    for pattern in options.feature_columns:
        if pattern in answers:
            raise DataError(f"dataset.feature_columns has {pattern}, which tells the time of the event itself")
        matches = [name for name in columns if name == pattern or (name not in named and fnmatchcase(name, pattern))]
        if not matches and not (pattern == "*" and options.categorical_columns):
            raise _no_column("feature_columns", pattern, [name for name in columns if name not in named])
        chosen |= set(matches)
    excluded = {name for name in columns if any(fnmatchcase(name, pattern) for pattern in options.exclude_columns)}
    chosen -= {*excluded, *options.categorical_columns}
    numeric = [name for name in columns if name in chosen]
    categorical = [name for name in columns if name in options.categorical_columns and name not in excluded]
    if not numeric and not categorical:
        raise DataError("dataset.feature_columns leaves no feature, at least one is needed")
    return numeric, categorical


def _no_column(key: str, wanted: str, columns: list[str]) -> DataError:
    return DataError(f"dataset.{key} is {wanted!r}, but the table has {', '.join(columns) or 'no such columns'}")


def numeric_columns(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The columns as float64, NaN where a cell is empty. Raises DataError for a cell that is no finite number."""
    numbers = {}
    for column in columns:
        values = table[column]
        number = pd.to_numeric(values, errors="coerce").astype(np.float64)
        wrong = values[values.notna() & ~np.isfinite(number)]
        if len(wrong):
            raise DataError(
                f"column {column} has {wrong.tolist()[0]!r} in row {wrong.index[0] + 1}, a finite number is expected; "
                f"name it in dataset.categorical_columns or dataset.exclude_columns if it is no measurement"
            )
        numbers[column] = number
    return pd.DataFrame(numbers, index=table.index)


def times(table: pd.DataFrame, column: str) -> tuple[pd.Series, bool]:
    """The times as float64, and whether they are dates; then in seconds since 1970 (UTC where no zone is given).

    Raises DataError where one is missing or is neither a number nor a date.
    """
    values = table[column]
    if values.isna().any():
        raise DataError(f"column {column} has no value in row {values.index[values.isna()][0] + 1}")
    if not pd.api.types.is_datetime64_any_dtype(values):
        number = pd.to_numeric(values, errors="coerce").astype(np.float64)
        if np.isfinite(number).all():
            return number, False
    try:
        dates = pd.to_datetime(values, utc=True, format=None if values.dtype.kind == "M" else "ISO8601")
    except (ValueError, TypeError) as error:
        number = pd.to_numeric(values, errors="coerce").astype(np.float64)
        wrong = values[~np.isfinite(number)]
        raise DataError(
            f"column {column} has {wrong.tolist()[0]!r} in row {wrong.index[0] + 1}, numbers or dates such as "
            "2015-01-31 06:00:00 are expected"
        ) from error
    return (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1), True
