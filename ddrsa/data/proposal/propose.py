"""A dataset file for the user's own files, proposed from what they look like, with a reason for each guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ddrsa.data.proposal.columns import (
    ID,
    MOST_CATEGORIES,
    UNIT,
    Guess,
    guess_time,
)
from ddrsa.data.proposal.event import guess_event, guess_kinds
from ddrsa.data.proposal.features import guess_features
from ddrsa.data.proposal.text import guess_marks, guess_text
from ddrsa.data.table.events import listed
from ddrsa.data.table.files import find_table_files, read_files
from ddrsa.data.table.read import read_table_sequences
from ddrsa.data.table.source import Table
from ddrsa.data.table.ticks import Times
from ddrsa.data.table.values import texts
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError, UsageError


class _Everything(frozenset[str]):
    """Every column is read as the text that it is."""

    def __contains__(self, _: object) -> bool:
        return True


def propose(path: str, *, events: str | None = None, attributes: str | None = None) -> dict[str, Guess]:
    """The keys of `dataset=table` that read the files, in the order of the file.

    events, attributes: of the second and the third file. Raises DataError where the files cannot be read at all, or
    have no column that can be the time.
    """
    base = TableOptions(path=path, all_units_fail=True)
    guesses = {"path": Guess(path, "as given")}
    files = find_table_files(path)
    base, of_text = guess_text(files[0], base)
    guesses |= of_text
    table = read_files(files, replace(base, unit_column="?"), _Everything())
    base, marks = guess_marks(table, base)
    guesses |= marks
    found = guess_time(table, base, set())
    if found is None:
        raise DataError(f"{files[0]}: none of the columns {', '.join(table.columns)} can be the time")
    time, base, times, unit = found.column, found.options, found.times, found.unit
    if unit is None:
        doubt = "" if len(files) > 1 else "there is one file, and so one unit"
        unit = Guess(None, "no column can be the unit: each file is one", doubt)
        names = pd.Series(np.repeat("file", len(table.frame)))
    else:
        names = texts(table.frame[str(unit.value)])
    guesses |= {"unit_column": unit, "time_column": time}
    if base.date_format is not None:
        why = "so the rows of the units are in order, and lie equally far apart"
        guesses["date_format"] = Guess(base.date_format, why if "%" in base.date_format else time.why, time.doubt)
        guesses["time_column"] = replace(time, doubt="")
    taken = {str(time.value), str(unit.value)}
    everything = table
    of_units: dict[str, Guess] = {}
    if attributes is not None:
        of_units, everything = _attributes(attributes, table, names, base, str(unit.value))
    if events is not None:
        guesses |= _events(events, base, str(unit.value))
    else:
        guesses |= guess_event(everything, names, times, base, taken)
    guesses |= of_units
    taken |= {str(guesses[key].value) for key in ("event_column", "time_to_event_column") if key in guesses}
    guesses |= guess_features(everything, base, taken, names)
    guesses |= _step(names, times)
    return guesses


def _step(unit: pd.Series, times: Times) -> dict[str, Guess]:
    codes = pd.factorize(unit)[0]
    order = np.lexsort((times.ticks, codes))
    gaps = np.diff(times.ticks[order])[np.diff(codes[order]) == 0]
    gaps = gaps[gaps > 0]
    if not len(gaps):
        return {}
    usual = float(np.median(gaps))
    irregular = (np.abs(gaps - usual) > 1e-6 * usual).mean()
    if irregular == 0:
        return {"step": Guess(None, f"all rows lie {times.shown_length(usual)} apart")}
    if not times.dates:
        return {"step": Guess(times.length(usual), f"the usual distance of rows; {irregular:.0%} are others")}
    seconds = times.length(usual)
    nice = [1e-3, 1e-2, 0.1, 1, 10, 60, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800, 2592000]
    chosen = min(nice, key=lambda length: abs(np.log(length / seconds)))
    units = ((86400, "D"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"))
    shown = next(f"{chosen / length:g}{unit}" for length, unit in units if chosen >= length)
    why = f"rows lie {times.shown_length(usual)} apart in the middle, {irregular:.0%} of them otherwise"
    return {"step": Guess(shown, why)}


def _events(path: str, base: TableOptions, unit_column: str) -> dict[str, Guess]:
    table = read_files(find_table_files(path, "events_path"), base.of_second_file("?"), _Everything())
    guesses = {"events_path": Guess(path, "as given")}
    unit = _unit_of(table, unit_column)
    guesses["events_unit_column"] = unit
    found = guess_time(table, base, {str(unit.value)})
    if found is None:
        raise DataError(f"{path}: none of the columns {', '.join(table.columns)} can be the time")
    guesses["events_time_column"] = found.column
    if found.options.date_format is not None:
        guesses["events_date_format"] = Guess(found.options.date_format, found.column.why, found.column.doubt)
        guesses["events_time_column"] = replace(found.column, doubt="")
    few = []
    for column in table.columns:
        if column in (unit.value, found.column.value):
            continue
        kinds = texts(table.frame[column]).dropna().unique().tolist()
        of_kinds = guess_kinds(kinds) if len(kinds) <= MOST_CATEGORIES else {}
        if of_kinds:
            guesses["events_kind_column"] = Guess(column, f"it has {', '.join(map(str, kinds))}")
            guesses |= of_kinds
            break
        if 1 < len(kinds) <= MOST_CATEGORIES:
            few.append(f"{column} ({listed(kinds)})")
    else:
        doubt = "no column tells kinds by its words: each of its rows counts as a failure"
        more = f"; events_kind_column may be {' or '.join(few)}, and failure_kinds what is one" if few else ""
        guesses["events_path"] = Guess(path, "as given", doubt + more)
    guesses["after_event"] = Guess("new_unit", "a unit that goes on after a failure has another life")
    return guesses


def _attributes(
    path: str, table: Table, names: pd.Series, base: TableOptions, unit_column: str
) -> tuple[dict[str, Guess], Table]:
    """The keys of the third file, and the table with its columns.

    names: of the units of the rows. A unit that has no row there has empty cells; reading the files refuses it.
    """
    third = read_files(find_table_files(path, "attributes_path"), base.of_second_file("?"), _Everything())
    unit = _unit_of(third, unit_column)
    rows = third.frame.assign(name=texts(third.frame[str(unit.value)])).drop_duplicates("name").set_index("name")
    new = rows[[name for name in third.columns if name not in (*table.columns, unit.value)]]
    joined = pd.concat([table.frame, new.reindex(names).set_axis(table.frame.index)], axis=1)
    guesses = {"attributes_path": Guess(path, "as given"), "attributes_unit_column": unit}
    return guesses, Table(joined, table.parts)


def _unit_of(table: Table, unit_column: str) -> Guess:
    if unit_column in table.columns:
        return Guess(unit_column, "it is called as in the other file")
    for pattern in (UNIT, ID):
        for column in table.columns:
            if re.search(pattern, column, re.IGNORECASE):
                return Guess(column, "its name says so")
    return Guess(table.columns[0], "it is the first column")


def try_out(guesses: Mapping[str, Guess]) -> str | None:
    """The error of reading the files by the guesses, or None."""
    try:
        read_table_sequences(TableOptions(**{key: guess.value for key, guess in guesses.items()}))  # type: ignore[arg-type]
    except UsageError as error:
        return str(error)
    return None
