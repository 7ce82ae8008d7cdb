"""The user's own table: units, times, events and features as `Sequences`.

The order of the steps: columns, times, lives of the units (what ends with an event or is censored), steps of equal
length, missing values, categories. Repairs are logged with their counts.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.labels import Labels
from ddrsa.data.sequences import Sequences
from ddrsa.data.table.alike import warn_of_alike
from ddrsa.data.table.attributes import with_attributes
from ddrsa.data.table.codes import warn_of_codes
from ddrsa.data.table.columns import choose_features, text_columns
from ddrsa.data.table.events import read_events
from ddrsa.data.table.files import FILE_UNIT, find_table_files, read_files
from ddrsa.data.table.leaks import falls, warn_of_leaks
from ddrsa.data.table.lives import Lives, find_lives
from ddrsa.data.table.missing import without_missing
from ddrsa.data.table.source import Table
from ddrsa.data.table.steps import Steps, regular_steps, resampled_steps
from ddrsa.data.table.ticks import Times
from ddrsa.data.table.times import read_times
from ddrsa.data.table.values import categories, numbers, texts
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError
from ddrsa.texts import count_of

log = logging.getLogger(__name__)


def read_table_sequences(options: TableOptions, *, running: bool = False) -> Sequences:
    """Read the files as `options` says. Raises DataError as `read_files` and `table_units`."""
    table = read_files(find_table_files(options.path), options, text_columns(options))
    return table_units(table, options, running=running)


def running_units(options: TableOptions, table: Table | None = None) -> Sequences:
    """The last life of each unit of the files, or of `table`, of units that still run.

    What tells failures and repairs is used to find where that life begins; where the files do not have it, there is a
    word, if the training had units of several lives.
    """
    table = read_files(find_table_files(options.path), options, text_columns(options)) if table is None else table
    column = options.event_column
    if column is not None and column not in table.columns:
        if options.after_event == "new_unit" or options.reset_kinds:
            log.warning(
                "there is no column %s: a repair within the rows is not seen, and what lies before it counts", column
            )
        column = None
    if column is None and options.events_path is None:
        told: dict[str, Any] = {
            "event_column": None,
            "time_to_event_column": None,
            "failure_kinds": [],
            "reset_kinds": [],
        }
        options = replace(options, **told, all_units_fail=True)
    return table_units(table, options, running=True)


def table_units(table: Table, options: TableOptions, *, running: bool = False) -> Sequences:
    """The units of a table, with their names.

    running: the units still run. Of each the last life is there, and when it ends is not known; what tells the events
    is used to find where it begins.
    Raises DataError where the table cannot be used; the message names the file, the line and the column, or the unit,
    and what is expected.
    """
    unit = _units(table, options)
    if options.attributes_path is not None:
        table = with_attributes(table, unit, options)
    numeric, categorical = choose_features(table.columns, options)
    values = {column: numbers(table, column, options) for column in numeric}
    for column in numeric:
        warn_of_codes(column, values[column])
    values |= {column: categories(table.frame[column], options).astype("category") for column in categorical}
    for column in categorical:
        warn_of_alike(values[column], f"different values of column {column}")
    features = pd.DataFrame({column: values[column] for column in [*numeric, *categorical]}, index=table.frame.index)
    lives = _lives(table, unit, options, running)
    rows = features.loc[lives.rows]
    if options.step is None:
        steps = regular_steps(lives)
    else:
        steps, rows = resampled_steps(lives, rows, options, numeric)
    rows, kept = without_missing(rows.reset_index(drop=True), steps, lives, options)
    rows = _one_hot(rows, [column for column in categorical if column in rows])
    left_out = np.bincount(steps.life[~kept], minlength=steps.life.max() + 1)
    steps = steps.select(kept)
    warn_of_leaks(rows, steps.life, steps.time_to_event, lives.event_observed[steps.life])
    return Sequences(
        features=rows.to_numpy(np.float64),
        unit=lives.ids[steps.life],
        time_to_event=steps.time_to_event.astype(np.float32),
        event_observed=lives.event_observed[steps.life],
        feature_names=tuple(map(str, rows.columns)),
        group=None if lives.groups is None else lives.groups[steps.life],
        labels=_labels(lives, steps, left_out),
    )


def _labels(lives: Lives, steps: Steps, left_out: NDArray[np.int64]) -> Labels:
    left = steps.life[np.append(True, np.diff(steps.life) != 0)]
    return Labels(
        unit=tuple(lives.units[life] for life in left),
        life=None if lives.number is None else lives.number[left],
        time=steps.time,
        zone=lives.times.zone,
        step=steps.length,
        first=left_out[left] if left_out.any() else None,
    )


def _units(table: Table, options: TableOptions) -> pd.Series:
    """(N,) the name of each row's unit, a text."""
    column = options.unit_column or FILE_UNIT
    if column not in table.columns:
        choose_features(table.columns, options)  # it says what is missing
    unit = texts(table.frame[column])
    table.require(column, unit.notna(), ", the name of a unit is expected")
    as_written = table.frame[column].dropna()
    merged = as_written.nunique() - unit.nunique()
    if as_written.dtype.kind not in "iuf" and merged > 0:
        how = "in blanks at their ends"
        if not as_written.map(lambda name: isinstance(name, str)).all():
            how = "in blanks at their ends, or in being a number and a text,"
        log.warning("%d names of units differ from others %s alone, and are the same unit", merged, how)
    warn_of_alike(unit, "names of different units")
    return unit


def _lives(table: Table, unit: pd.Series, options: TableOptions, running: bool) -> Lives:
    """Sort by unit and time, leave out rows that stand there twice, and find where the lives end."""
    times = read_times(table, options.time_column, options)
    happened = read_events(options, running=running) if options.events_path is not None else None
    rows = np.lexsort((times.ticks, _order(unit)))
    if (np.diff(rows) < 0).any():
        log.info("the rows are sorted by %s and %s", options.unit_column or FILE_UNIT, options.time_column)
        if not times.dates and falls(unit, times):
            log.warning(
                "column %s falls from row to row of every unit: if it is a remaining life, it is no time but "
                "dataset.time_to_event_column", options.time_column
            )  # fmt: skip
    rows = _without_repeated(table, unit, times, rows, options)
    return find_lives(table, rows, unit, times, happened, options, running=running)


def _without_repeated(
    table: Table, unit: pd.Series, times: Times, rows: NDArray[np.int64], options: TableOptions
) -> NDArray[np.int64]:
    keys = pd.DataFrame({"unit": unit.to_numpy()[rows], "time": times.ticks[rows]})
    repeated = keys.duplicated().to_numpy()
    if not repeated.any():
        return rows
    same = table.frame.iloc[rows].duplicated().to_numpy()
    other = np.flatnonzero(repeated & ~same)
    if len(other):
        row = int(rows[other[0]])
        when = table.frame[options.time_column].loc[row]
        hint = ""
        if times.dates and times.zone is None:
            hint = "; where clocks were set back, dataset.time_zone tells the two apart"
        raise DataError(
            f"{table.place(row)}: unit {unit.loc[row]} has two different rows at {options.time_column} {when}{hint}"
        )
    log.warning("%s there twice, and left out", count_of(repeated.sum(), "row is", "rows are"))
    return rows[~repeated]


def _order(names: pd.Series) -> NDArray[np.int64]:
    """(N,) numbers that sort the units as people do: N2 before N10."""
    codes, distinct = pd.factorize(names)
    texts_of = [str(name) for name in distinct]
    rank = np.empty(len(distinct), dtype=np.int64)
    rank[sorted(range(len(distinct)), key=lambda code: (natural_key(texts_of[code]), texts_of[code]))] = np.arange(
        len(distinct)
    )
    return rank[codes]


def natural_key(name: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts texts by the numbers in them: N2 before N10, -3 before 2, 7 before 12."""
    if re.fullmatch("-?[0-9]+", name):
        return ((False, int(name), ""),)
    parts = re.findall("[0-9]+|[^0-9]+", name)
    return tuple((not part[0].isdecimal(), int(part) if part[0].isdecimal() else 0, part) for part in parts)


def _one_hot(rows: pd.DataFrame, categorical: list[str]) -> pd.DataFrame:
    """Each category becomes a feature `column=value` of 0 and 1, behind the numeric features.

    The categories are those of all rows. One that only units outside the training part have is constant there, and
    scaling leaves it out: nothing of the other parts reaches the training but the name.
    """
    if not categorical:
        return rows
    parts = [rows.drop(columns=categorical)]
    parts += [pd.get_dummies(rows[column], prefix=column, prefix_sep="=", dtype=np.float64) for column in categorical]
    joined = pd.concat(parts, axis=1)
    twice = joined.columns[joined.columns.duplicated()]
    if len(twice):
        column = str(twice[0]).partition("=")[0]
        raise DataError(
            f"the table has a column {twice[0]!r}, and so is called a category of {column}: name one of them in "
            "dataset.exclude_columns, or take the other out of dataset.categorical_columns"
        )
    return joined
