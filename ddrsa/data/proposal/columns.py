"""What the columns of a table look like, and which of them is the unit, the time and the event."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ddrsa.data.table.leaks import is_remaining_life
from ddrsa.data.table.source import Table
from ddrsa.data.table.times import Times, read_times
from ddrsa.data.table.values import NO, YES, numbers, texts
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import UsageError

UNIT = (
    r"unit|machine|maschine|engine|pump|asset|device|equipment|anlage|ger[aä]t|serial|compressor|kompressor|truck"
    r"|vehicle|bearing|disk"
)
TIME = r"time|date|datum|zeit|stamp|cycle|zyklus|hour|stunde|day|tag"
EVENT = r"fail|event|ausfall|defekt|broken|fault|st[oö]rung|stop|dead"
REST = r"rul|remaining|restleben|ttf|time_to|rest_"
ID = r"(^|[_ ])(id|nr|no|name|number|nummer)$|id$"
MOST_CATEGORIES = 20


@dataclass(frozen=True)
class Guess:
    """value: of a key of the dataset file. why: the reason, in words."""

    value: object
    why: str


def numeric(table: Table, column: str, options: TableOptions) -> pd.Series | None:
    """The column as numbers; None where a cell is none."""
    try:
        return numbers(table, column, options)
    except UsageError:
        return None


def guess_time(table: Table, options: TableOptions, taken: set[str]) -> tuple[Guess, TableOptions, Times] | None:
    """The column of the times, the options that read it, and the times.

    Dates before numbers, and names that say it before others; a date that can be read in two ways is the one by which
    the rows come nearest to being in order.
    """
    found = []
    for place, column in enumerate(table.columns):
        if column in taken:
            continue
        named = bool(re.search(TIME, column, re.IGNORECASE))
        for form in (None, "%d/%m/%Y", "%m/%d/%Y"):
            read = _read_time(table, column, options, form)
            if read is None:
                continue
            with_form, times = read
            if times.dates or named or re.fullmatch("t", column, re.IGNORECASE):
                order = float((np.diff(times.ticks) >= 0).mean()) if len(times.ticks) > 1 else 1.0
                found.append((times.dates, named, round(order, 3), -place, column, with_form, times))
    if not found:
        return None
    *_, column, with_form, times = max(found, key=lambda item: item[:4])
    kind = "dates" if times.dates else "numbers"
    why = f"it has {kind}{', and its name says so' if re.search(TIME, column, re.IGNORECASE) else ''}"
    return Guess(column, why), with_form, times


def _read_time(table: Table, column: str, options: TableOptions, form: str | None) -> tuple[TableOptions, Times] | None:
    if form is not None:
        first = texts(table.frame[column]).dropna()
        clock = re.search(r"\d (\d+:\d\d)(:\d\d)?( [AP]M)?$", str(first.iloc[0]), re.IGNORECASE) if len(first) else None
        if clock is not None:
            form += f" {'%I' if clock[3] else '%H'}:%M{':%S' if clock[2] else ''}{' %p' if clock[3] else ''}"
    try:
        with_form = replace(options, date_format=form)
        return with_form, read_times(table, column, with_form)
    except UsageError:
        return None


def guess_unit(table: Table, times: Times, options: TableOptions, taken: set[str]) -> Guess | None:
    """The column whose values have each time once at most, come back, and are best named as one of machines."""
    rows = len(table.frame)
    found = []
    for place, column in enumerate(table.columns):
        if column in taken:
            continue
        names = texts(table.frame[column])
        if names.isna().any() or names.nunique() > rows / 2:
            continue
        if numeric(table, column, options) is not None and names.str.contains(r"\.\d*[1-9]").any():
            continue
        twice = pd.DataFrame({"unit": names, "time": times.ticks}).duplicated().mean()
        named = 2 * bool(re.search(UNIT, column, re.IGNORECASE)) + bool(re.search(ID, column, re.IGNORECASE))
        if twice < 0.01 and (names.nunique() > 1 or named):
            found.append((named, -place, column, names.nunique()))
    if not found:
        return None
    named, _, column, count = max(found)
    said = ", and its name says so" if named else ""
    return Guess(column, f"it has {count} values, no time stands twice with one of them{said}")


def guess_event(
    table: Table, unit: pd.Series, times: Times, options: TableOptions, taken: set[str]
) -> dict[str, Guess]:
    """The keys that say when the event is: a flag, a remaining life, or nothing but that every unit fails."""
    order = np.lexsort((times.ticks, pd.factorize(unit)[0]))
    last = ~unit.iloc[order].duplicated(keep="last").to_numpy()
    named = [column for column in table.columns if column not in taken and re.search(EVENT, column, re.IGNORECASE)]
    others = [column for column in table.columns if column not in taken and column not in named]
    for column in [*named, *others]:
        words = texts(table.frame[column]).str.lower()
        if not words.dropna().isin({*YES, *NO}).all() or words.isna().any() or words.nunique() < 2:
            continue
        flag = words.isin(YES).to_numpy()[order]
        per_unit = pd.Series(flag).groupby(unit.iloc[order].to_numpy()).sum()
        if column in named or (flag & ~last).sum() == 0:
            where = "in the last row of" if (flag & ~last).sum() == 0 else "within the rows of"
            guess = {
                "event_column": Guess(column, f"it is yes {where} {(per_unit > 0).sum()} of {len(per_unit)} units")
            }
            if (flag & ~last).any():
                guess["after_event"] = Guess("new_unit", "units go on after it: each life becomes a unit")
            return guess
    for column in [c for c in table.columns if c not in taken and re.search(REST, c, re.IGNORECASE)]:
        rest = numeric(table, column, options)
        if rest is not None and rest.notna().all():
            ends = pd.Series(rest.to_numpy()[order]).groupby(unit.iloc[order].to_numpy()).last()
            if (ends >= 0).all() and is_remaining_life(
                rest.to_numpy()[order], times.ticks[order], unit.iloc[order].to_numpy()
            ):
                return {"time_to_event_column": Guess(column, "it falls by as much as the time rises")}
    return {"all_units_fail": Guess(True, "no column tells the event; correct it where units were still running")}
