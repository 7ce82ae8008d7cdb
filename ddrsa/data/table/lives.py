"""Lives of the units of a table: where they end, with an event or censored."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.labels import Labels
from ddrsa.data.table.cuts import Cuts, cut_at_events, last_lives, warn_of_late_failures, whole_units
from ddrsa.data.table.durations import durations
from ddrsa.data.table.events import Events, events_of_rows, warn_of_days
from ddrsa.data.table.source import Table
from ddrsa.data.table.ticks import Times, aligned
from ddrsa.data.table.values import numbers, texts
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError

log = logging.getLogger(__name__)

_WHOLE = re.compile("0|-?[1-9][0-9]{0,18}")


@dataclass(frozen=True, eq=False)
class Lives:
    """N rows, sorted by life and time, of L lives: what a unit goes through up to one event.

    rows: (N,) the labels of the rows in the table. life: (N,) 0 .. L - 1, in order. times: (N,).
    event_observed: (L,) bool. event_time: (L,) in ticks of `times`, beyond the last row where the event is later; of a
    censored life the time of its last row. between_rows: whether an event may lie between two steps. ids: (L,) int64.
    units: (L,) the texts of the unit column. number: (L,) of the life within its unit, from 1, or None where no unit
    has several. groups: (L,) int64, or None where each life is on its own.
    """

    rows: NDArray[np.int64]
    life: NDArray[np.int64]
    times: Times
    event_observed: NDArray[np.bool_]
    event_time: NDArray[np.int64] | NDArray[np.float64]
    between_rows: bool
    ids: NDArray[np.int64]
    units: tuple[str, ...]
    number: NDArray[np.int64] | None
    groups: NDArray[np.int64] | None

    @property
    def names(self) -> tuple[str, ...]:
        """(L,) texts that name each life alone."""
        return Labels(self.units, self.number).titles


def find_lives(
    table: Table,
    rows: NDArray[np.int64],
    unit: pd.Series,
    times: Times,
    log_of_events: Events | None,
    options: TableOptions,
    *,
    running: bool = False,
) -> Lives:
    """The lives in a table.

    rows: (N,) of the table, sorted by unit and time. unit, times: of all rows of the table, in the order of the files.
    log_of_events: of `dataset.events_path`. running: the units still run; the last life of each is what is wanted, and
    its end is not known. Raises DataError where the events are not told as `options` says.
    """
    code, units = pd.factorize(unit.iloc[rows])
    own = times.select(rows)
    between = log_of_events is not None
    if running and options.event_column is None and log_of_events is None:
        cuts = whole_units(code, own.ticks)
    elif options.time_to_event_column is not None:
        own = own.as_fine_as_possible()
        cuts = _from_time_to_event(table, rows, code, units, own, options)
    elif options.event_column is None and log_of_events is None:
        cuts = whole_units(code, own.ticks, observed=np.ones(len(code), dtype=np.bool_))
    else:
        events: Events | NDArray[np.bool_] | None = log_of_events
        if events is None:
            events = events_of_rows(table, unit, times, options, running=running)
        if not isinstance(events, Events):
            cuts = whole_units(code, own.ticks, observed=events[rows])
        else:
            own, happened = aligned(own, events.times)
            if between:
                warn_of_days(own, happened)
            events = Events(events.unit, happened, events.failure)
            cuts = cut_at_events(code, units, own, events, options, running=running)
    if running:
        cuts = last_lives(code, units, own.ticks, cuts)
    return _lives(table, rows, code, units, own, cuts, between, options)


def _lives(
    table: Table,
    rows: NDArray[np.int64],
    code: NDArray[np.int64],
    units: pd.Index,
    times: Times,
    cuts: Cuts,
    between: bool,
    options: TableOptions,
) -> Lives:
    kept = cuts.kept
    if not kept.any():
        raise DataError("no row is left: all lie outside the lives of the units")
    new_life = (np.diff(code[kept]) != 0) | (np.diff(cuts.number[kept]) != 0)
    life = np.append(0, np.cumsum(new_life)).astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(life)), len(life) - 1)
    code_of_life = code[kept][last]
    number = cuts.number[kept][last] + 1
    split = bool((number > 1).any())
    if between:
        warn_of_late_failures(last, times.select(kept), cuts, units[code_of_life])
    return Lives(
        rows=rows[kept],
        life=life,
        times=times.select(kept),
        event_observed=cuts.observed[kept][last],
        event_time=cuts.event_time[kept][last],
        between_rows=between,
        ids=_ids(units, code_of_life, split),
        units=tuple(units[code_of_life]),
        number=number if split else None,
        groups=_groups(table, rows, code, units, code_of_life, split, options),
    )


def _ids(unit_names: pd.Index, code_of_life: NDArray[np.int64], split: bool) -> NDArray[np.int64]:
    """Whole numbers are the ids; other names, and lives, are numbered from 1 in their order."""
    if not split and all(_WHOLE.fullmatch(name) and abs(int(name)) < 2**63 for name in unit_names):
        return np.array([int(name) for name in unit_names], dtype=np.int64)[code_of_life]
    return np.arange(1, len(code_of_life) + 1)


def _groups(
    table: Table,
    rows: NDArray[np.int64],
    code: NDArray[np.int64],
    unit_names: pd.Index,
    code_of_life: NDArray[np.int64],
    split: bool,
    options: TableOptions,
) -> NDArray[np.int64] | None:
    column = options.group_column
    if column is None:
        return code_of_life.astype(np.int64) if split else None
    names = texts(table.frame[column])
    table.require(column, names.notna(), ", the name of a group is expected")
    group, _ = pd.factorize(names.iloc[rows])
    by_unit = pd.Series(group).groupby(code)
    if (by_unit.min() != by_unit.max()).any():
        wrong = unit_names[np.flatnonzero(by_unit.min() != by_unit.max())[0]]
        raise DataError(f"column {column} has several values in unit {wrong}, one is expected")
    return by_unit.min().to_numpy(np.int64)[code_of_life]


def _from_time_to_event(
    table: Table,
    rows: NDArray[np.int64],
    code: NDArray[np.int64],
    unit_names: pd.Index,
    times: Times,
    options: TableOptions,
) -> Cuts:
    """Each unit is one life, whose event is where the column says."""
    column = str(options.time_to_event_column)
    if times.dates:
        rest = durations(table, column)
        missing = texts(table.frame[column]).isna()
    else:
        rest = numbers(table, column, options) * 10.0**times.digits
        missing = rest.isna()
    expected = "a duration such as 36h, of at least 0" if times.dates else "a number of at least 0"
    table.require(column, missing | (rest >= 0), f", {expected} is expected")
    rest = rest.iloc[rows].reset_index(drop=True)
    known = rest.notna().groupby(code)
    some = np.flatnonzero((known.max() & ~known.min()).to_numpy())
    if len(some):
        raise DataError(f"column {column} has values in some rows of unit {unit_names[some[0]]} and none in others")
    # Behind the first row of its unit, so that no digit is lost.
    begin = pd.Series(times.ticks).groupby(code).transform("min").to_numpy()
    event = pd.Series(times.ticks - begin + rest.to_numpy()).groupby(code)
    spread = (event.max() - event.min()).to_numpy()
    tolerance = 1e-6 * np.maximum(1.0, np.abs(rest.groupby(code).max().to_numpy()))
    wrong_units = np.flatnonzero(spread > tolerance)
    if len(wrong_units):
        raise DataError(
            f"column {column} of unit {unit_names[wrong_units[0]]} does not fall by as much as {options.time_column} "
            "rises; a remaining life that was capped cannot be used, name an event_column then"
        )
    cuts = whole_units(code, times.ticks, observed=known.max().to_numpy()[code])
    happened = event.transform("max").to_numpy()
    if times.ticks.dtype == np.int64:
        happened = np.rint(np.nan_to_num(happened)).astype(np.int64)
    return Cuts(cuts.kept, cuts.number, cuts.observed, np.where(cuts.observed, begin + happened, cuts.event_time))
