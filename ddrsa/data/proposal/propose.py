"""A dataset file for the user's own files, proposed from what they look like, with a reason for each guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.data.proposal.columns import (
    ID,
    MOST_CATEGORIES,
    UNIT,
    Guess,
    guess_event,
    guess_time,
    guess_unit,
    numeric,
)
from ddrsa.data.table.files import EXCEL, PARQUET, find_table_files, is_row_number, read_files
from ddrsa.data.table.read import read_table_sequences
from ddrsa.data.table.source import Table
from ddrsa.data.table.text_files import find_format
from ddrsa.data.table.times import Times
from ddrsa.data.table.values import texts
from ddrsa.data.table_options import SEPARATORS, TableOptions
from ddrsa.errors import DataError, UsageError

FAILURE = r"fail|ausfall|defe[kc]t|broke|break|crash|st[oö]rung|trip"
RESET = r"repair|replac|reparatur|tausch|overhaul|instand|renew|new"


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
    base, of_text = _text(files[0], base)
    guesses |= of_text
    table = read_files(files, replace(base, unit_column="?"), _Everything())
    base, marks = _marks(table, base)
    guesses |= marks
    found = guess_time(table, base, set())
    if found is None:
        raise DataError(f"{files[0]}: none of the columns {', '.join(table.columns)} can be the time")
    time, base, times = found
    unit = guess_unit(table, times, base, {str(time.value)})
    if unit is None:
        unit = Guess(None, "no column can be the unit: each file is one")
        names = pd.Series(np.repeat("file", len(table.frame)))
    else:
        names = texts(table.frame[str(unit.value)])
    guesses |= {"unit_column": unit, "time_column": time}
    if base.date_format is not None:
        guesses["date_format"] = Guess(base.date_format, "by the other order the rows would not be in order")
    taken = {str(time.value), str(unit.value)}
    if events is not None:
        guesses |= _events(events, base, str(unit.value))
    else:
        guesses |= guess_event(table, names, times, base, taken)
    taken |= {str(guesses[key].value) for key in ("event_column", "time_to_event_column") if key in guesses}
    everything = table
    if attributes is not None:
        guesses |= _attributes(attributes, str(unit.value))
        third = read_files(find_table_files(attributes), replace(base, columns=None, separator=None), _Everything())
        taken.add(str(guesses["attributes_unit_column"].value))
        new = third.frame.drop(columns=[name for name in third.columns if name in table.columns])
        everything = Table(pd.concat([table.frame, new], axis=1), table.parts)
    guesses |= _features(everything, base, taken)
    guesses |= _step(names, times)
    return guesses


def _text(path: Path, base: TableOptions) -> tuple[TableOptions, dict[str, Guess]]:
    if {*PARQUET, *EXCEL} & set(path.suffixes):
        return base, {}
    guesses: dict[str, Guess] = {}
    try:
        form = find_format(path, base)
    except DataError as error:
        if "dataset.columns" not in str(error):
            raise
        with_names = replace(base, separator=base.separator or _separator_of_rows(path))
        cells = path.read_text(errors="replace").splitlines()[0].count(with_names.separator or ",") + 1
        base = replace(with_names, columns=[f"column_{n + 1}" for n in range(cells)])
        guesses["columns"] = Guess(base.columns, "the first line has numbers: names to be corrected")
        form = find_format(path, base)
    word = {mark: name for name, mark in SEPARATORS.items()}.get(form.separator, form.separator)
    if form.separator != ",":
        guesses["separator"] = Guess(word, "it parts the first line into most names")
    if form.encoding not in ("utf-8", "utf-8-sig"):
        guesses["encoding"] = Guess(form.encoding, "the file is no UTF-8")
    return replace(base, separator=form.separator, encoding=form.encoding), guesses


def _separator_of_rows(path: Path) -> str:
    line = path.read_text(errors="replace").splitlines()[0]
    return max(("\t", ";", "|", ","), key=line.count)


def _marks(table: Table, base: TableOptions) -> tuple[TableOptions, dict[str, Guess]]:
    """The decimal mark and that between thousands, by the numbers in the columns of texts."""
    cells = pd.concat([texts(table.frame[column]) for column in table.columns[:50]]).dropna().head(200_000)
    cells = cells[cells.str.contains(r"\d")]
    comma = cells.str.fullmatch(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+").sum()
    point = cells.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})*\.\d+|[+-]?\d+\.\d+").sum()
    if comma <= point:
        grouped = cells.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?").any()
        if not grouped:
            return base, {}
        return replace(base, thousands=","), {"thousands": Guess("comma", "numbers such as 1,234.5")}
    guesses = {"decimal": Guess("comma", f"{comma} numbers have a comma, {point} a point")}
    base = replace(base, decimal=",")
    if cells.str.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?").any():
        base, guesses = (
            replace(base, thousands="."),
            {**guesses, "thousands": Guess("point", "numbers such as 1.234,5")},
        )
    return base, guesses


def _features(table: Table, base: TableOptions, taken: set[str]) -> dict[str, Guess]:
    categorical, excluded = [], {}
    for column in table.columns:
        values = table.frame[column]
        if column in taken or is_row_number(column):
            continue
        words = texts(values)
        if words.nunique() <= 1:
            excluded[column] = "it has one value"
        elif numeric(table, column, base) is None:
            if words.nunique() <= MOST_CATEGORIES:
                categorical.append(column)
            else:
                excluded[column] = f"{words.nunique()} different texts"
        elif re.search(r"^rul\b|remaining|restleben", column, re.IGNORECASE):
            excluded[column] = "its name says that it tells the event"
    guesses = {}
    if categorical:
        guesses["categorical_columns"] = Guess(categorical, f"texts, at most {MOST_CATEGORIES} different ones")
    if excluded:
        why = "; ".join(f"{column}: {reason}" for column, reason in excluded.items())
        guesses["exclude_columns"] = Guess(list(excluded), why)
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
    nice = [1e-3, 1e-2, 0.1, 1, 10, 60, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800]
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
    guesses["events_time_column"] = found[0]
    for column in table.columns:
        if column in (unit.value, found[0].value):
            continue
        kinds = texts(table.frame[column]).dropna().unique().tolist()
        failures = [kind for kind in kinds if re.search(FAILURE, kind, re.IGNORECASE)]
        if failures and len(kinds) <= MOST_CATEGORIES:
            resets = [kind for kind in kinds if re.search(RESET, kind, re.IGNORECASE) and kind not in failures]
            guesses["events_kind_column"] = Guess(column, f"it has {', '.join(map(str, kinds))}")
            guesses["failure_kinds"] = Guess(failures, "their names say so")
            if resets:
                guesses["reset_kinds"] = Guess(resets, "by their names the unit is as new then")
            break
    guesses["after_event"] = Guess("new_unit", "a unit that goes on after a failure has another life")
    return guesses


def _attributes(path: str, unit_column: str) -> dict[str, Guess]:
    options = TableOptions(path=path, all_units_fail=True)
    table = read_files(find_table_files(path, "attributes_path"), options, _Everything())
    unit = _unit_of(table, unit_column)
    return {"attributes_path": Guess(path, "as given"), "attributes_unit_column": unit}


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
