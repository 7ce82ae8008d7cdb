"""The user's own table: units, times, events and features as `Sequences`.

The order of the steps: columns, times, lives of the units (what ends with an event or is censored), steps of equal
length, missing values, categories. Repairs are logged with their counts.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.data.labels import Labels
from ddrsa.data.options import TableOptions
from ddrsa.data.sequences import Sequences
from ddrsa.data.table.files import FILE_UNIT, choose_features, numeric_columns, read_files, times
from ddrsa.data.table.lives import Lives, find_lives
from ddrsa.data.table.steps import Steps, regular_steps, resampled_steps
from ddrsa.errors import DataError

log = logging.getLogger(__name__)


def read_table_sequences(files: list[Path], options: TableOptions) -> Sequences:
    """Read the files as `options` says. Raises DataError as `read_files` and `table_units`."""
    return table_units(read_files(files, options), options)


def table_units(table: pd.DataFrame, options: TableOptions) -> Sequences:
    """The units of a table as `read_files` returns it, with their names.

    Raises DataError where it cannot be used; the message names the column, the unit or the row, and what is expected.
    """
    numeric, categorical = choose_features(table, options)
    rows = numeric_columns(table, numeric)
    for column in categorical:
        rows[column] = table[column].astype("category")
    lives = _lives(table, options)
    rows = rows.loc[lives.rows]
    if options.step is None:
        steps = regular_steps(lives)
    else:
        steps, rows = resampled_steps(lives, rows, options, numeric)
    features, kept = _without_missing(rows.reset_index(drop=True), steps, lives, options)
    features = _one_hot(features, [column for column in categorical if column in features])
    steps = steps.select(kept)
    return Sequences(
        features=features.to_numpy(np.float64),
        unit=lives.ids[steps.life],
        time_to_event=steps.time_to_event.astype(np.float32),
        event_observed=lives.event_observed[steps.life],
        feature_names=tuple(map(str, features.columns)),
        group=None if lives.groups is None else lives.groups[steps.life],
        labels=_labels(lives, steps),
    )


def _labels(lives: Lives, steps: Steps) -> Labels:
    left = steps.life[np.append(True, np.diff(steps.life) != 0)]
    return Labels(
        unit=tuple(lives.units[life] for life in left),
        life=None if lives.number is None else lives.number[left],
        time=(steps.time * 1e9).round().astype(np.int64).view("datetime64[ns]") if lives.dates else steps.time,
        zone="UTC" if lives.dates else None,
        step=steps.length,
    )


def _lives(table: pd.DataFrame, options: TableOptions) -> Lives:
    """Sort by unit and time, leave out rows that stand there twice, and find where the lives end."""
    unit_column = options.unit_column or FILE_UNIT
    unit = table[unit_column]
    if unit.isna().any():
        raise DataError(f"column {unit_column} has no value in row {unit.index[unit.isna()][0] + 1}")
    unit = unit.astype(str)
    time, dates = times(table, options.time_column)
    ordered = pd.DataFrame({"unit": unit, "time": time})
    ordered = ordered.sort_values(["unit", "time"], kind="stable", key=lambda c: _order(c) if c.name == "unit" else c)
    if (np.diff(ordered.index) < 0).any():
        log.info("the rows are sorted by %s and %s", unit_column, options.time_column)
    repeated = ordered.duplicated(["unit", "time"])
    if repeated.any():
        same = table.loc[ordered.index].duplicated()
        if not same[repeated].all():
            row = np.flatnonzero(repeated & ~same)[0]
            when = table[options.time_column].loc[ordered.index].iloc[row]
            raise DataError(f"unit {ordered['unit'].iloc[row]} has two different rows at {options.time_column} {when}")
        log.warning("%d rows that stand there twice are left out", repeated.sum())
        ordered = ordered[~repeated]
    return find_lives(table.loc[ordered.index], ordered["unit"], ordered["time"].to_numpy(), dates, options)


def _order(names: pd.Series) -> pd.Series:
    """Numbers that sort the units as people do: N2 before N10."""
    distinct = sorted(names.unique(), key=lambda name: (natural_key(name), name))
    return names.map({name: number for number, name in enumerate(distinct)})


def natural_key(name: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts texts by the numbers in them: N2 before N10, 7 before 12, -3 before 2."""
    if re.fullmatch("-?[0-9]+", name):
        return ((False, int(name), ""),)
    parts = re.findall("[0-9]+|[^0-9]+", name)
    return tuple((not part[0].isdecimal(), int(part) if part[0].isdecimal() else 0, part) for part in parts)


def _without_missing(
    rows: pd.DataFrame, steps: Steps, lives: Lives, options: TableOptions
) -> tuple[pd.DataFrame, np.ndarray]:
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
                f"({(~of_life).sum()} units in all); name it in dataset.exclude_columns, or leave such units out"
            )
        log.warning("%s: %d of %d values are missing, the last before each is taken", column, counts[column], len(rows))
    filled = rows.groupby(steps.life, observed=True).ffill()
    kept = filled.notna().all(axis=1).to_numpy()
    if not kept.all():
        log.warning("%d rows before the first value of a feature in their unit are left out", (~kept).sum())
    gone = np.setdiff1d(steps.life, steps.life[kept])
    if len(gone):
        raise DataError(f"unit {lives.names[gone[0]]} has no row from which on every feature has a value")
    return filled[kept].reset_index(drop=True), kept


def _one_hot(rows: pd.DataFrame, categorical: list[str]) -> pd.DataFrame:
    """Each category becomes a feature `column=value` of 0 and 1, behind the numeric features.

    The categories are those of all rows. One that only units outside the training part have is constant there, and
    scaling leaves it out: nothing of the other parts reaches the training but the name.
    """
    if not categorical:
        return rows
    parts = [rows.drop(columns=categorical)]
    parts += [pd.get_dummies(rows[column], prefix=column, prefix_sep="=", dtype=np.float64) for column in categorical]
    return pd.concat(parts, axis=1)
