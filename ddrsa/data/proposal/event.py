"""How a table tells the failure of a unit: a flag, a kind, a remaining life, or not at all."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.proposal.columns import MOST_CATEGORIES, Guess, numeric
from ddrsa.data.table.durations import durations
from ddrsa.data.table.events import listed
from ddrsa.data.table.source import Table
from ddrsa.data.table.ticks import NANOSECONDS, Times
from ddrsa.data.table.values import NO, YES, texts
from ddrsa.data.table_options import TableOptions

EVENT = r"fail|event|ausfall|defekt|broken|fault|st[oö]rung|stop|dead"
REST = r"rul|remaining|restleben|ttf|time_to|rest_"
FAILURE = r"fail|ausfall|ausgefallen|defe[kc]t|broke|break|crash|st[oö]rung|trip"
RESET = r"repair|replac|reparatur|tausch|overhaul|instand|renew|\bnew\b"
NOT = r"^(no|not|non|kein|ohne|un)[ _-]"


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
    doubt = "units that still run when the record ends would count as failed"
    for column in named:
        words = texts(table.frame[column])
        kinds = words.dropna().unique().tolist()
        if not kinds:
            continue
        if words.isna().any() and len(kinds) <= MOST_CATEGORIES and re.search(FAILURE, column, re.IGNORECASE):
            sure = f"each of its texts is taken for a failure: {listed(kinds)}"
            return {
                "event_column": Guess(column, "its name says so, and most of its cells are empty"),
                "failure_kinds": Guess(kinds, "all that it has", sure),
                "after_event": Guess("new_unit", "a unit that goes on after a failure has another life"),
            }
        doubt += f"; {column} may tell the event: it has {listed(kinds)}, and failure_kinds says which are failures"
    return {"all_units_fail": Guess(True, "no column tells the event", doubt)}


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
        if times.dates and rest is not None:
            # Beside dates a number has no unit of time; but where it ends at 0, the last row is the event.
            if (pd.Series(rest.to_numpy()[order]).groupby(unit).last() == 0).all() and not rest.isna().any():
                return {"all_units_fail": Guess(True, f"{column} is 0 in the last row of each unit")}
            continue
        if times.dates:
            rest = durations(table, column)
            if (rest.isna() & texts(table.frame[column]).notna()).any():
                continue
        if rest is not None and _falls_as_time_rises(rest.to_numpy()[order], times.ticks[order], times.digits, unit):
            some = f"; {rest.isna().sum()} rows, of units that still run, have none" if rest.isna().any() else ""
            return {"time_to_event_column": Guess(column, f"it falls by as much as the time rises{some}")}
    return None


def _falls_as_time_rises(
    rest: NDArray[np.float64], ticks: NDArray[np.int64] | NDArray[np.float64], digits: int, unit: NDArray[np.object_]
) -> bool:
    """rest: in units of the time column, or nanoseconds beside dates; empty in all rows of a unit, or in none."""
    known = pd.Series(~np.isnan(rest)).groupby(unit)
    if not (known.min() == known.max()).all() or (rest < 0).any():
        return False
    inside = (unit[1:] == unit[:-1]) & ~np.isnan(rest[1:])
    rises = np.diff(ticks)[inside] if digits == NANOSECONDS else np.diff(ticks)[inside] / 10.0**digits
    return bool(inside.any() and np.allclose(-np.diff(rest)[inside], rises, rtol=1e-3))
