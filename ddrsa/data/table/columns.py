"""The columns of a table that are features."""

from __future__ import annotations

import logging
import re
from fnmatch import fnmatchcase

from ddrsa.checks import did_you_mean
from ddrsa.data.table.files import FILE_UNIT, is_row_number
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError

log = logging.getLogger(__name__)


def text_columns(options: TableOptions) -> set[str]:
    """The columns of the rows that are texts, and no numbers that may be missing."""
    keys = (options.unit_column, options.time_column, options.event_column, options.time_to_event_column)
    return {FILE_UNIT, *options.categorical_columns, *{*keys, options.group_column} - {None}}  # type: ignore[arg-type]


def choose_features(columns: list[str], options: TableOptions) -> tuple[list[str], list[str]]:
    """The numeric and the categorical feature columns, in the order of the file.

    A name in full names itself, whatever characters it has; else it is a pattern. A pattern of `feature_columns` never
    matches a column that another key names; the time column can be a feature if it is named in full. A column that
    pandas has named is left out unless it is named in full. Raises DataError for a column that is not there or cannot
    be a feature, and for a pattern that matches nothing.
    """
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
    hidden = _made_by_pandas(columns, {unit, *answers}, options)
    chosen = set()
    for pattern in options.feature_columns:
        if pattern in answers:
            raise DataError(f"dataset.feature_columns has {pattern}, which tells the time of the event itself")
        matches = [name for name in _matches(pattern, columns) if name == pattern or name not in {*named, *hidden}]
        if not matches and not (pattern == "*" and options.categorical_columns):
            raise _no_column("feature_columns", pattern, [name for name in columns if name not in named])
        chosen |= set(matches)
    excluded: set[str] = set()
    for pattern in options.exclude_columns:
        matches = _matches(pattern, columns)
        if not matches:
            raise _no_column("exclude_columns", pattern, columns)
        excluded |= set(matches)
    chosen -= {*excluded, *options.categorical_columns}
    numeric = [name for name in columns if name in chosen]
    categorical = [name for name in columns if name in options.categorical_columns and name not in excluded]
    if not numeric and not categorical:
        raise DataError("dataset.feature_columns leaves no feature, at least one is needed")
    return numeric, categorical


def _matches(pattern: str, columns: list[str]) -> list[str]:
    return [pattern] if pattern in columns else [name for name in columns if fnmatchcase(name, pattern)]


def _made_by_pandas(columns: list[str], told: set[str | None], options: TableOptions) -> set[str]:
    """Row numbers, and copies of what tells the unit or the event: `failed.1` beside `failed`."""
    hidden = {name for name in columns if is_row_number(name) or re.sub(r"\.\d+$", "", name) in told - {name}}
    given = {*options.feature_columns, *options.exclude_columns, *options.categorical_columns}
    for name in [column for column in columns if column in hidden - given]:
        what = "is the number of the row" if is_row_number(name) else "is a copy of what tells the unit or the event"
        log.warning("column %s %s and no feature; name it in dataset.feature_columns if it is one", name, what)
    return hidden - given


def _no_column(key: str, wanted: str, columns: list[str]) -> DataError:
    shown = ", ".join(columns) or "no such columns"
    return DataError(f"dataset.{key} is {wanted!r}, but the table has {shown}{did_you_mean(wanted, columns)}")
