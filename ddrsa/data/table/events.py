"""Events of units: failures, and repairs or maintenance after which a unit is as new."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.files import find_table_files, read_files
from ddrsa.data.table.source import Table
from ddrsa.data.table.ticks import Times
from ddrsa.data.table.times import read_times
from ddrsa.data.table.values import categories, category, flags, texts
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import ConfigError, DataError, UsageError
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

SHOWN = 5


@dataclass(frozen=True, eq=False)
class Events:
    """E events. unit: (E,) texts. failure: (E,) True: the unit fails; False: it is as new from there on."""

    unit: NDArray[np.object_]
    times: Times
    failure: NDArray[np.bool_]


def listed(names: Sequence[str]) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + more


def events_of_rows(
    table: Table, unit: pd.Series, times: Times, options: TableOptions, *, running: bool = False
) -> Events | NDArray[np.bool_]:
    """The events that stand in the rows of the units themselves, by `dataset.event_column`.

    (N,) whether the unit of each row fails, where the column tells that of whole units and has one value in all rows of
    each. unit, times: of the rows. running: an empty flag is none.
    """
    column = str(options.event_column)
    if options.failure_kinds:
        failure, reset = _kinds(table, column, options, running)
    else:
        failure = flags(table, column, empty_is_no=running)
        reset = np.zeros(len(failure), dtype=np.bool_)
    by_unit = pd.Series(failure).groupby(unit.to_numpy())
    low, high = by_unit.min(), by_unit.max()
    if (low == high).all() and (by_unit.size()[high] > 1).any() and not reset.any():
        return failure
    if options.after_event == "new_unit":
        _warn_of_states(column, failure, unit, times)
    rows = np.flatnonzero(failure | reset)
    return Events(unit.to_numpy()[rows], times.select(rows), failure[rows])


def _warn_of_states(column: str, failure: NDArray[np.bool_], unit: pd.Series, times: Times) -> None:
    """Warn of failures in rows that follow each other: each is the whole life of a unit, and rather a state."""
    code = pd.factorize(unit)[0]
    order = np.lexsort((times.ticks, code))
    again = failure[order][1:] & failure[order][:-1] & (code[order][1:] == code[order][:-1])
    if again.any():
        log.warning(
            "column %s tells a failure in %d rows that follow another one: an alarm or a state rather than an event, "
            "and each such row is a life of its own; dataset.after_event=drop leaves them out", column, again.sum()
        )  # fmt: skip


def warn_of_days(rows: Times, events: Times) -> None:
    """Warn of events that have a date without a time of day beside rows that have one."""
    if not rows.dates or not len(events.ticks):
        return
    at_midnight = [bool((_dates(times) == _dates(times).normalize()).all()) for times in (events, rows)]
    if at_midnight == [True, False]:
        log.warning("the events have dates alone, and are taken to have been at 0:00: rows of the day lie behind them")


def _dates(times: Times) -> pd.DatetimeIndex:
    dates = pd.DatetimeIndex(times.ticks.astype(np.int64))
    return dates if times.zone is None else dates.tz_localize("UTC").tz_convert(times.zone)


def read_events(options: TableOptions, *, running: bool = False) -> Events:
    """The events of `dataset.events_path`. running: there need be none of a kind.

    Raises DataError where the file cannot be used.
    """
    unit_column = options.events_unit_column or str(options.unit_column)
    time_column = options.events_time_column or options.time_column
    kind_column = options.events_kind_column
    files = find_table_files(str(options.events_path), "events_path")
    wanted = [name for name in (unit_column, time_column, kind_column) if name is not None]
    table = read_files(files, options.of_second_file(unit_column), wanted)
    for key, name in (("unit", unit_column), ("time", time_column), ("kind", kind_column)):
        if name is not None and name not in table.columns:
            raise DataError(f"dataset.events_{key}_column is {name!r}, but {files[0]} has {', '.join(table.columns)}")
    unit = texts(table.frame[unit_column])
    table.require(unit_column, unit.notna(), ", the name of a unit is expected")
    times = _times(table, time_column, options.of_second_file(unit_column))
    if kind_column is None:
        log.info("every row of %s is a failure; dataset.events_kind_column tells failures from repairs", files[0])
        failure = np.ones(len(unit), dtype=np.bool_)
        return Events(unit.to_numpy(), times, failure)
    failure, reset = _kinds(table, kind_column, options, running)
    rows = np.flatnonzero(failure | reset)
    return Events(unit.to_numpy()[rows], times.select(rows), failure[rows])


def _times(table: Table, column: str, options: TableOptions) -> Times:
    """The times of the log: by its own format, or that of the rows where that reads them, or else as they show it."""
    key = "events_date_format"
    own = replace(options, date_format=options.events_date_format)
    if options.events_date_format is not None or options.date_format is None:
        return read_times(table, column, own, key)
    try:
        return read_times(table, column, options, key)
    except UsageError:
        log.info("the times of the events are not written as dataset.date_format=%s says", options.date_format)
        return read_times(table, column, own, key)


def _kinds(
    table: Table, column: str, options: TableOptions, running: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are failures, and which make a unit as new; other kinds are counted and not used."""
    kind = categories(table.frame[column], options)
    wanted = {
        key: [category(name, options) for name in getattr(options, key)] for key in ("failure_kinds", "reset_kinds")
    }
    found = Counter(kind.dropna())
    for key, names in wanted.items():
        for name in names:
            if name not in found and not running:
                raise ConfigError(f"dataset.{key} has {name!r}, but column {column} has {listed(sorted(found))}")
    other = {
        name: count for name, count in found.items() if name not in [*wanted["failure_kinds"], *wanted["reset_kinds"]]
    }
    without = int(kind.isna().sum())
    if without and column == options.events_kind_column:
        log.warning("column %s: %s no kind: not used", column, count_of(without, "event has", "events have"))
    if other:
        shown = ", ".join(f"{name} ({count})" for name, count in sorted(other.items())[:SHOWN])
        log.warning("column %s: neither failure nor reset, and not used: %s", column, shown)
    return kind.isin(wanted["failure_kinds"]).to_numpy(), kind.isin(wanted["reset_kinds"]).to_numpy()
