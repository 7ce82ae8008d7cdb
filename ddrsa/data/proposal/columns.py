"""What the columns of a table look like, and which of them are the unit and the time."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.dates_in_numbers import format_of_numbers, forms_of_digits
from ddrsa.data.table.source import Table
from ddrsa.data.table.ticks import Times
from ddrsa.data.table.times import read_times
from ddrsa.data.table.values import numbers, texts
from ddrsa.data.table_options import EPOCHS, EXCEL_DAYS, TableOptions
from ddrsa.errors import DataError, UsageError
from ddrsa.texts import count_of

UNIT = (
    r"unit|machine|maschine|engine|pump|asset|device|equipment|anlage|ger[aä]t|serial|compressor|kompressor|truck"
    r"|vehicle|bearing|disk"
)
TIME = r"time|date|datum|zeit|stamp|cycle|zyklus|hour|stunde|day|tag"
ID = r"(^|[_ ])(id|nr|no|name|number|nummer)$|id$"
MOST_CATEGORIES = 20


@dataclass(frozen=True)
class Guess:
    """value: of a key of the dataset file. why: the reason, in words. doubt: what else it may be; empty where sure."""

    value: object
    why: str
    doubt: str = ""


@dataclass(frozen=True, eq=False)
class FoundTime:
    """The column of the times, the options that read it, and the times; with the column of the units, where one fits.

    rank: the higher the better; those of two readings of one column are equal where nothing tells them apart.
    """

    column: Guess
    options: TableOptions
    times: Times
    unit: Guess | None
    rank: tuple[float, ...]


def numeric(table: Table, column: str, options: TableOptions) -> pd.Series | None:
    """The column as numbers; None where a cell is none."""
    try:
        return numbers(table, column, options)
    except UsageError:
        return None


def guess_time(table: Table, options: TableOptions, taken: set[str]) -> FoundTime | None:
    """The column of the times, and of the units whose rows have each time once.

    One beside which a column can be the unit comes before others; then dates before numbers, and names that say it;
    then the one by which the rows of the units are in order, and lie as far apart as others. Raises DataError where
    none can be, and one looks like it.
    """
    found: list[FoundTime] = []
    unread: dict[str, str] = {}
    for column in [name for name in table.columns if name not in taken]:
        named = bool(re.search(TIME, column, re.IGNORECASE) or re.fullmatch("t", column, re.IGNORECASE))
        readings, error = _readings(table, column, options)
        if not readings and _looks_like_a_time(texts(table.frame[column]), named):
            unread[column] = error
        for with_form, times in readings:
            unit = guess_unit(table, times, options, {column, *taken})
            names = pd.Series("") if unit is None else texts(table.frame[str(unit.value)])
            codes = np.zeros(len(times.ticks), np.int64) if unit is None else pd.factorize(names)[0]
            in_order, regular = _order(codes, times)
            if times.dates or named or (unit is not None and regular > _MOSTLY):
                rank = (unit is not None, times.dates, named, in_order, regular, len(np.unique(times.ticks)))
                guess = Guess(column, _why(times, named, with_form))
                found.append(FoundTime(guess, with_form, times, unit, rank))
    if not found:
        if unread:
            raise DataError("; ".join(unread.values()))
        return None
    best = max(found, key=lambda item: item.rank)  # of equals the first
    doubts = _doubts(best, found, unread)
    return replace(best, column=replace(best.column, doubt="; ".join(doubts))) if doubts else best


def _doubts(best: FoundTime, found: list[FoundTime], unread: dict[str, str]) -> list[str]:
    """What else the time may be."""
    doubts = []
    forms = [
        "they may be plain numbers as well"
        if each.options.date_format is None
        else f"date_format={each.options.date_format} reads them as well"
        for each in found
        if each is not best and each.column.value == best.column.value and each.rank[3:] == best.rank[3:]
    ]
    if forms and best.options.date_format is not None:
        doubts.append(f"{', '.join(forms)}, and nothing tells which is meant")
    columns = [str(each.column.value) for each in found if each.rank == best.rank and each.column != best.column]
    if columns:
        doubts.append(f"it may be {' or '.join(dict.fromkeys(columns))} as well")
    doubts += [f"{column} looks like a time and cannot be read: {error}" for column, error in unread.items()]
    if not best.times.dates and best.rank[3] < 1 - _MOSTLY:
        doubts.append("it falls from row to row: a remaining life is no time but time_to_event_column")
    return doubts


# None reads what can be read in one way.
_FORMS = (None, "%d/%m/%Y", "%m/%d/%Y")
_MOSTLY = 0.9


def _looks_like_a_time(words: pd.Series, named: bool) -> bool:
    """Whether most texts have a clock in them, or digits in a column that is called a time."""
    return bool(len(words) and words.str.contains(r"\d" if named else r"\d:\d\d").mean() > _MOSTLY)


def _readings(table: Table, column: str, options: TableOptions) -> tuple[list[tuple[TableOptions, Times]], str]:
    """The ways to read a column as times, and the error of the first where there is none."""
    found: list[tuple[TableOptions, Times]] = []
    first_error = ""
    forms: list[str | None] = [_with_clock(table, column, form) for form in _FORMS]
    try:
        plain = read_times(table, column, replace(options, date_format="number"))
        forms += [form for form in (format_of_numbers(column, plain), *forms_of_digits(plain)) if form is not None]
    except UsageError:
        pass  # they are no numbers
    for form in forms:
        with_form = replace(options, date_format=form)
        try:
            times = read_times(table, column, with_form)
        except UsageError as error:
            first_error = first_error or str(error)
            continue
        distinct = len(np.unique(times.ticks))
        # A date of all rows tells no order; one number of all rows is no date.
        if distinct >= 2 or (len(times.ticks) <= 2 and form is None):
            found.append((with_form, times))
    return found, first_error


def _with_clock(table: Table, column: str, form: str | None) -> str | None:
    """A format of days with the clock that the first cell shows."""
    first = texts(table.frame[column]).dropna()
    if form is None or not len(first):
        return form
    clock = re.search(r"\d (\d+:\d\d)(:\d\d)?( [AP]M)?$", str(first.iloc[0]), re.IGNORECASE)
    if clock is None:
        return form
    return f"{form} {'%I' if clock[3] else '%H'}:%M{':%S' if clock[2] else ''}{' %p' if clock[3] else ''}"


def _why(times: Times, named: bool, options: TableOptions) -> str:
    said = ", and its name says so" if named else ""
    form = options.date_format
    if form in EPOCHS:
        return "its numbers are dates since 1970"
    if form == EXCEL_DAYS:
        return "its numbers are days as Excel counts them"
    if times.dates:
        return f"it has dates{said}"
    return f"it has numbers{said or ' that rise by the same from row to row'}"


def _order(codes: NDArray[np.int64], times: Times) -> tuple[float, float]:
    """The share of rows that come after the one before them in their unit, and of steps that are as long as most."""
    rows = np.argsort(codes, kind="stable")
    gaps = np.diff(times.ticks[rows])[np.diff(codes[rows]) == 0]
    if not len(gaps):
        return 1.0, 1.0
    rising = np.abs(gaps[gaps != 0])
    usual = np.median(rising) if len(rising) else 0
    return round(float((gaps >= 0).mean()), 3), round(float((np.abs(gaps - usual) <= 1e-6 * usual).mean()), 3)


def guess_unit(table: Table, times: Times, options: TableOptions, taken: set[str]) -> Guess | None:
    """The column whose values have each time once at most, come back, and are best named as one of machines."""
    rows = len(table.frame)
    found = []
    for place, column in enumerate(table.columns):
        if column in taken:
            continue
        names = texts(table.frame[column])
        named = 2 * bool(re.search(UNIT, column, re.IGNORECASE)) + bool(re.search(ID, column, re.IGNORECASE))
        empty = names.isna()
        if empty.mean() > (0.5 if named else 0) or names.nunique() > rows / 2:
            continue
        if numeric(table, column, options) is not None and names.str.contains(r"\.\d*[1-9]").any():
            continue
        twice = pd.DataFrame({"unit": names, "time": times.ticks})[~empty].duplicated().mean()
        # Where clocks are set back, an hour is there twice.
        if twice < (0.05 if named and times.dates else 0.01) and (names.nunique() > 1 or named):
            found.append((named, -place, column, names.nunique(), twice, int(empty.sum())))
    if not found:
        return None
    named, _, column, count, twice, empty_rows = max(found)
    said = ", and its name says so" if named else ""
    others = [each[2] for each in found if each[2] != column and each[0] == named]
    doubt = f"it may be {' or '.join(others[:3])} as well" if others else ""
    if empty_rows:
        doubt = f"{count_of(empty_rows, 'row has', 'rows have')} no value in it"
    if twice:
        doubt = "some of its times stand twice: where clocks were set back, time_zone tells the two apart"
    return Guess(column, f"it has {count} values, no time stands twice with one of them{said}", doubt)
