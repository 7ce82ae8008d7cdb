"""Lives of the units of a table: where they end, with an event or censored."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.labels import Labels
from ddrsa.data.options import TableOptions
from ddrsa.errors import DataError

_WHOLE = re.compile("0|-?[1-9][0-9]{0,18}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lives:
    """N rows, sorted by life and time, of L lives: what a unit goes through up to one event.

    rows: (N,) the labels of the rows in the table. life: (N,) 0 .. L - 1, in order. time: (N,), in seconds where
    `dates`. event_observed: (L,) bool. event_time: (L,), beyond the last row where the table tells the time to event;
    of a censored life the time of its last row. ids: (L,) int64. units: (L,) the texts of the unit column. number:
    (L,) of the life within its unit, from 1, or None where no unit has several.
    groups: (L,) int64, or None where each life is on its own.
    """

    rows: pd.Index
    life: NDArray[np.int64]
    time: NDArray[np.float64]
    dates: bool
    event_observed: NDArray[np.bool_]
    event_time: NDArray[np.float64]
    ids: NDArray[np.int64]
    units: tuple[str, ...]
    number: NDArray[np.int64] | None
    groups: NDArray[np.int64] | None

    @property
    def names(self) -> tuple[str, ...]:
        """(L,) texts that name each life alone."""
        return Labels(self.units, self.number).titles


def find_lives(
    table: pd.DataFrame, unit: pd.Series, time: NDArray[np.float64], dates: bool, options: TableOptions
) -> Lives:
    """The lives in a table that is sorted by unit and time.

    unit: (N,) texts. time: (N,). dates: whether `time` is seconds since 1970.
    Raises DataError where the events are not told as `options` says.
    """
    code, unit_names = pd.factorize(unit)
    last_of_unit = np.append(np.flatnonzero(np.diff(code)), len(code) - 1)
    kept = np.ones(len(code), dtype=np.bool_)
    number = np.zeros(len(code), dtype=np.int64)  # of the life within its unit
    event_time = time[last_of_unit]
    if options.time_to_event_column is not None:
        observed_of_unit, event_time = _from_time_to_event(table, code, unit_names, time, dates, options)
        observed = observed_of_unit[code]
    elif options.event_column is None:
        observed = np.ones(len(code), dtype=np.bool_)
    else:
        flag = _flags(table, options.event_column)
        by_unit = pd.Series(flag).groupby(code)
        constant = (by_unit.min() == by_unit.max()).to_numpy()
        if constant.all() and (np.bincount(code)[by_unit.max().to_numpy()] > 1).any():
            observed = flag  # a flag of the unit, not of the row
        else:
            before = by_unit.cumsum().to_numpy() - flag  # events in earlier rows of the unit
            kept, number = _after_event(before, code, unit_names, table, options)
            observed = flag
    new_life = (np.diff(code[kept]) != 0) | (np.diff(number[kept]) != 0)
    life = np.append(0, np.cumsum(new_life)).astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(life)), len(life) - 1)
    code_of_life = code[kept][last]
    split = len(last) > len(unit_names)
    return Lives(
        rows=table.index[kept],
        life=life,
        time=time[kept],
        dates=dates,
        event_observed=observed[kept][last],
        event_time=event_time[code_of_life] if options.time_to_event_column is not None else time[kept][last],
        ids=_ids(unit_names, code_of_life, split),
        units=tuple(unit_names[code_of_life]),
        number=number[kept][last] + 1 if split else None,
        groups=_groups(table, code, unit_names, code_of_life, split, options),
    )


def _ids(unit_names: pd.Index, code_of_life: NDArray[np.int64], split: bool) -> NDArray[np.int64]:
    """Whole numbers are the ids; other names, and lives, are numbered from 1 in their order."""
    if not split and all(_WHOLE.fullmatch(name) and abs(int(name)) < 2**63 for name in unit_names):
        return np.array([int(name) for name in unit_names], dtype=np.int64)[code_of_life]
    return np.arange(1, len(code_of_life) + 1)


def _groups(
    table: pd.DataFrame,
    code: NDArray[np.int64],
    unit_names: pd.Index,
    code_of_life: NDArray[np.int64],
    split: bool,
    options: TableOptions,
) -> NDArray[np.int64] | None:
    if options.group_column is None:
        return code_of_life if split else None
    group, _ = pd.factorize(table[options.group_column])
    by_unit = pd.Series(group).groupby(code)
    if (group < 0).any():
        raise DataError(f"column {options.group_column} has no value in row {table.index[group < 0][0] + 1}")
    if (by_unit.min() != by_unit.max()).any():
        wrong = unit_names[np.flatnonzero(by_unit.min() != by_unit.max())[0]]
        raise DataError(f"column {options.group_column} has several values in unit {wrong}, one is expected")
    return by_unit.min().to_numpy(np.int64)[code_of_life]


def _flags(table: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    values = table[column]
    numbers = pd.to_numeric(values, errors="coerce")
    if values.dtype == object or pd.api.types.is_string_dtype(values.dtype):
        numbers = numbers.fillna(values.astype(str).str.lower().map({"true": 1, "false": 0}))
    wrong = values[~numbers.isin([0, 1])]
    if len(wrong):
        raise DataError(f"column {column} has {wrong.tolist()[0]!r} in row {wrong.index[0] + 1}, 0 or 1 is expected")
    return numbers.to_numpy() == 1


def _after_event(
    before: NDArray[np.int64],
    code: NDArray[np.int64],
    unit_names: pd.Index,
    table: pd.DataFrame,
    options: TableOptions,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The rows that are kept, and the number of each row's life in its unit; `before`: (N,) events in earlier rows."""
    after = before > 0
    if not after.any():
        return ~after, before
    units = len(np.unique(code[after]))
    if options.after_event == "error":
        row = np.flatnonzero(after)[0]
        raise DataError(
            f"unit {unit_names[code[row]]} comes back after its event, at {options.time_column} "
            f"{table[options.time_column].iloc[row]} ({after.sum()} rows of {units} units); dataset.after_event=drop "
            "leaves such rows out, new_unit makes units of them"
        )
    if options.after_event == "drop":
        log.warning("%d rows of %d units lie after their event and are left out", after.sum(), units)
        return ~after, np.zeros_like(before)
    log.info("%d units come back after an event; each of their lives is a unit, split together", units)
    return np.ones_like(after), before


def _from_time_to_event(
    table: pd.DataFrame,
    code: NDArray[np.int64],
    unit_names: pd.Index,
    time: NDArray[np.float64],
    dates: bool,
    options: TableOptions,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether the event of each unit is known, and the time of the event, or else of its last row."""
    column = str(options.time_to_event_column)
    rest = _durations(table[column]) if dates else pd.to_numeric(table[column], errors="coerce").astype(np.float64)
    wrong = table[column][table[column].notna() & ~(rest >= 0)]
    if len(wrong):
        expected = "a duration such as 36h, of at least 0" if dates else "a number of at least 0"
        raise DataError(
            f"column {column} has {wrong.tolist()[0]!r} in row {wrong.index[0] + 1}, {expected} is expected"
        )
    known = rest.notna().groupby(code)
    some = np.flatnonzero((known.max() & ~known.min()).to_numpy())
    if len(some):
        raise DataError(f"column {column} has values in some rows of unit {unit_names[some[0]]} and none in others")
    event = pd.Series(time + rest.to_numpy()).groupby(code)
    spread = (event.max() - event.min()).to_numpy()
    tolerance = 1e-6 * np.maximum(1.0, np.abs(rest.groupby(code).max().to_numpy()))
    wrong_units = np.flatnonzero(spread > tolerance)
    if len(wrong_units):
        raise DataError(
            f"column {column} of unit {unit_names[wrong_units[0]]} does not fall by as much as {options.time_column} "
            "rises; a remaining life that was capped cannot be used, name an event_column then"
        )
    observed = known.max().to_numpy()
    last = pd.Series(time).groupby(code).max().to_numpy()
    return observed, np.where(observed, event.max().to_numpy(), last)


def _durations(values: pd.Series) -> pd.Series:
    """In seconds, NaN where a value is missing or is no duration."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return pd.Series(np.nan, index=values.index)
    return pd.to_timedelta(values, errors="coerce") / pd.Timedelta(seconds=1)
