"""What the columns of a table look like, and which of them is the unit, the time and the event."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.source import Table
from ddrsa.data.table.times import Times, epoch_format, read_times
from ddrsa.data.table.values import NO, YES, numbers, texts
from ddrsa.data.table_options import EPOCHS, TableOptions
from ddrsa.errors import UsageError

UNIT = (
    r"unit|machine|maschine|engine|pump|asset|device|equipment|anlage|ger[aä]t|serial|compressor|kompressor|truck"
    r"|vehicle|bearing|disk"
)
TIME = r"time|date|datum|zeit|stamp|cycle|zyklus|hour|stunde|day|tag"
EVENT = r"fail|event|ausfall|defekt|broken|fault|st[oö]rung|stop|dead"
REST = r"rul|remaining|restleben|ttf|time_to|rest_"
ID = r"(^|[_ ])(id|nr|no|name|number|nummer)$|id$"
FAILURE = r"fail|ausfall|ausgefallen|defe[kc]t|broke|break|crash|st[oö]rung|trip"
RESET = r"repair|replac|reparatur|tausch|overhaul|instand|renew|\bnew\b"
NOT = r"^(no|not|non|kein|ohne|un)[ _-]"
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
    then the one by which the rows of the units are in order, and lie as far apart as others.
    """
    found: list[FoundTime] = []
    for column in [name for name in table.columns if name not in taken]:
        named = bool(re.search(TIME, column, re.IGNORECASE) or re.fullmatch("t", column, re.IGNORECASE))
        for form in _FORMS:
            read = _read_time(table, column, options, form, named)
            if read is None:
                continue
            with_form, times, why = read
            unit = guess_unit(table, times, options, {column, *taken})
            names = pd.Series("") if unit is None else texts(table.frame[str(unit.value)])
            codes = np.zeros(len(times.ticks), np.int64) if unit is None else pd.factorize(names)[0]
            in_order, regular = _order(codes, times)
            if times.dates or named or (unit is not None and regular > _MOSTLY):
                rank = (unit is not None, times.dates, named, in_order, regular, len(np.unique(times.ticks)))
                found.append(FoundTime(Guess(column, why), with_form, times, unit, rank))
    if not found:
        return None
    best = max(found, key=lambda item: item.rank)  # of equals the first
    other = [each for each in found if each is not best and each.column.value == best.column.value]
    unsure = next((each for each in other if each.rank[3:] == best.rank[3:]), None)
    if unsure is not None and best.options.date_format is not None:
        doubt = f"date_format={unsure.options.date_format} reads them as well, and nothing tells which is meant"
        return replace(best, column=replace(best.column, doubt=doubt))
    columns = [str(each.column.value) for each in found if each.rank == best.rank and each.column != best.column]
    if columns:
        doubt = f"it may be {' or '.join(dict.fromkeys(columns))} as well"
        return replace(best, column=replace(best.column, doubt=doubt))
    return best


# None reads what can be read in one way.
_FORMS = (None, "%d/%m/%Y", "%m/%d/%Y", *EPOCHS)
_MOSTLY = 0.9


def _read_time(
    table: Table, column: str, options: TableOptions, form: str | None, named: bool
) -> tuple[TableOptions, Times, str] | None:
    why = f"it has dates{', and its name says so' if named else ''}"
    try:
        if form in EPOCHS:
            plain = read_times(table, column, replace(options, date_format="number"))
            if epoch_format(plain) != form or len(np.unique(plain.ticks)) < 2:
                return None
            with_form = replace(options, date_format=form)
            return with_form, read_times(table, column, with_form), "its numbers are dates since 1970"
        if form is not None:
            first = texts(table.frame[column]).dropna()
            pattern = r"\d (\d+:\d\d)(:\d\d)?( [AP]M)?$"
            clock = re.search(pattern, str(first.iloc[0]), re.IGNORECASE) if len(first) else None
            if clock is not None:
                form += f" {'%I' if clock[3] else '%H'}:%M{':%S' if clock[2] else ''}{' %p' if clock[3] else ''}"
        with_form = replace(options, date_format=form)
        times = read_times(table, column, with_form)
    except UsageError:
        return None
    if len(np.unique(times.ticks)) < 2 < len(times.ticks):  # a date of all rows tells no order
        return None
    if not times.dates:
        why = f"it has numbers{', and its name says so' if named else ' that rise by the same from row to row'}"
    return with_form, times, why


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
        if names.isna().any() or names.nunique() > rows / 2:
            continue
        if numeric(table, column, options) is not None and names.str.contains(r"\.\d*[1-9]").any():
            continue
        twice = pd.DataFrame({"unit": names, "time": times.ticks}).duplicated().mean()
        named = 2 * bool(re.search(UNIT, column, re.IGNORECASE)) + bool(re.search(ID, column, re.IGNORECASE))
        # Where clocks are set back, an hour is there twice.
        if twice < (0.05 if named and times.dates else 0.01) and (names.nunique() > 1 or named):
            found.append((named, -place, column, names.nunique(), twice))
    if not found:
        return None
    named, _, column, count, twice = max(found)
    said = ", and its name says so" if named else ""
    others = [each[2] for each in found if each[2] != column and each[0] == named]
    doubt = f"it may be {' or '.join(others[:3])} as well" if others else ""
    if twice:
        doubt = "some of its times stand twice: where clocks were set back, time_zone tells the two apart"
    return Guess(column, f"it has {count} values, no time stands twice with one of them{said}", doubt)


def guess_event(
    table: Table, unit: pd.Series, times: Times, options: TableOptions, taken: set[str]
) -> dict[str, Guess]:
    """The keys that say when the event is: a flag, a kind, a remaining life, or nothing but that every unit fails."""
    order = np.lexsort((times.ticks, pd.factorize(unit)[0]))
    sorted_unit = unit.iloc[order].to_numpy()
    last = ~pd.Series(sorted_unit).duplicated(keep="last").to_numpy()
    named = [column for column in table.columns if column not in taken and re.search(EVENT, column, re.IGNORECASE)]
    others = [column for column in table.columns if column not in taken and column not in named]
    flags = [column for column in [*named, *others] if _is_flag(table, column)]
    for column in flags:
        flag = texts(table.frame[column]).str.lower().isin(YES).to_numpy()[order]
        guess = _flag(column, flag, last, sorted_unit, column in named)
        if guess is not None:
            other = [each for each in flags if each != column and each in named]
            if other:
                doubt = f"it may be {' or '.join(other)} as well"
                guess["event_column"] = replace(guess["event_column"], doubt=doubt)
            return guess
    for column in [*named, *others]:
        kinds = texts(table.frame[column]).dropna().unique().tolist()
        found = guess_kinds(kinds) if len(kinds) <= MOST_CATEGORIES else {}
        if found:
            why = f"it has {', '.join(kinds)}"
            after = {"after_event": Guess("new_unit", "a unit that goes on after a failure has another life")}
            return {"event_column": Guess(column, why), **found, **after}
    rest = _remaining_life(table, options, order, sorted_unit, times, taken)
    if rest is not None:
        return rest
    return {
        "all_units_fail": Guess(
            True, "no column tells the event", "units that still run when the record ends would count as failed"
        )
    }


def guess_kinds(kinds: list[str]) -> dict[str, Guess]:
    """The kinds that are failures, and those after which a unit is as new; nothing where none is a failure."""
    failures = [kind for kind in kinds if re.search(FAILURE, kind, re.IGNORECASE) and not re.search(NOT, kind, re.I)]
    if not failures:
        return {}
    resets = [kind for kind in kinds if re.search(RESET, kind, re.IGNORECASE) and kind not in failures]
    found = {"failure_kinds": Guess(failures, "their names say so")}
    if resets:
        found["reset_kinds"] = Guess(resets, "by their names the unit is as new then")
    return found


def _is_flag(table: Table, column: str) -> bool:
    words = texts(table.frame[column]).str.lower()
    return not words.isna().any() and bool(words.isin({*YES, *NO}).all())


def _flag(
    column: str, flag: NDArray[np.bool_], last: NDArray[np.bool_], unit: NDArray[np.object_], named: bool
) -> dict[str, Guess] | None:
    """The event by a column of yes and no; None where it can be none."""
    per_unit = pd.Series(flag).groupby(unit)
    count, size = per_unit.sum(), per_unit.size()
    if not named and (not flag.any() or flag.all() or (flag & ~last).any()):
        return None
    if not flag.any():
        why, doubt = "its name says so", "it is no in all rows: no unit has failed, and nothing can be learned"
        return {"event_column": Guess(column, why, doubt)}
    if ((count == 0) | (count == size)).all() and (size[count > 0] > 1).any():
        why = f"it has one value in each unit: the last row of {(count > 0).sum()} of {len(count)} is the event"
        return {"event_column": Guess(column, why)}
    where = "in the last row of" if not (flag & ~last).any() else "within the rows of"
    guess = {"event_column": Guess(column, f"it is yes {where} {(count > 0).sum()} of {len(count)} units")}
    if (flag & ~last).any():
        runs = (flag[1:] & flag[:-1] & (unit[1:] == unit[:-1])).any()
        doubt = (
            "it is yes in rows that follow each other: an alarm, or a state, and each row would be a life"
            if runs
            else ""
        )
        guess["after_event"] = Guess("new_unit", "units go on after it: each life becomes a unit", doubt)
    return guess


def _remaining_life(
    table: Table,
    options: TableOptions,
    order: NDArray[np.int64],
    unit: NDArray[np.object_],
    times: Times,
    taken: set[str],
) -> dict[str, Guess] | None:
    for column in [c for c in table.columns if c not in taken and re.search(REST, c, re.IGNORECASE)]:
        rest = numeric(table, column, options)
        if rest is None or rest.isna().any():
            continue
        values = rest.to_numpy()[order]
        ends = pd.Series(values).groupby(unit).last()
        if times.dates:
            # Beside dates a number has no unit of time; but where it ends at 0, the last row is the event.
            if (ends == 0).all():
                return {"all_units_fail": Guess(True, f"{column} is 0 in the last row of each unit")}
            continue
        ticks = times.ticks[order] / 10.0**times.digits
        same = unit[1:] == unit[:-1]
        if (ends >= 0).all() and same.any() and np.allclose(-np.diff(values)[same], np.diff(ticks)[same], rtol=1e-3):
            return {"time_to_event_column": Guess(column, "it falls by as much as the time rises")}
    return None
