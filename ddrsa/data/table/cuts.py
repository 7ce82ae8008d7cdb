"""Where the rows of units are cut into lives."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.events import Events, listed
from ddrsa.data.table.ticks import Times
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import DataError
from ddrsa.texts import count_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Cuts:
    """N rows, sorted by unit and time. kept: those that belong to a life. number: of each row's life within its unit,
    from 0. observed, event_time: of each row's life, whether it ends with a failure, and when (in ticks); the time of
    its last row where it does not.
    """

    kept: NDArray[np.bool_]
    number: NDArray[np.int64]
    observed: NDArray[np.bool_]
    event_time: NDArray[Any]


def whole_units(code: NDArray[np.int64], ticks: NDArray[Any], observed: NDArray[np.bool_] | None = None) -> Cuts:
    """Each unit is one life, which ends at its last row. observed: (N,) with its failure, else censored."""
    last = pd.Series(ticks).groupby(code).transform("max").to_numpy()
    nothing = np.zeros(len(code), dtype=np.bool_)
    return Cuts(~nothing, np.zeros(len(code), dtype=np.int64), nothing if observed is None else observed, last)


def last_lives(code: NDArray[np.int64], units: pd.Index, ticks: NDArray[Any], cuts: Cuts) -> Cuts:
    """The last life of each unit, as one that still runs."""
    last = pd.Series(np.where(cuts.kept, cuts.number, -1)).groupby(code).transform("max").to_numpy()
    kept = cuts.kept & (cuts.number == last)
    ended = list(dict.fromkeys(units[code[kept & cuts.observed]]))
    if ended:
        log.warning("failed at the end of the rows, though they are said to run: %s", listed(ended))
    event_time = ticks.copy()
    event_time[kept] = pd.Series(ticks[kept]).groupby(code[kept]).transform("max").to_numpy()
    return Cuts(kept, cuts.number, np.zeros_like(cuts.observed), event_time)


def cut_at_events(
    code: NDArray[np.int64],
    units: pd.Index,
    times: Times,
    events: Events,
    options: TableOptions,
    *,
    running: bool = False,
) -> Cuts:
    """Lives that end at the failures and resets of their unit.

    A row at the time of an event belongs to the life that ends with it. Rows from a failure to the next reset belong to
    no life; rows behind a failure without one are what `dataset.after_event` says. A reset without a failure before it
    ends a life that is censored.

    code, times: (N,) of rows sorted by unit and time. events: with the ticks of `times`. running: rows behind a failure
    are the present of a unit, and so are never left out.
    Raises DataError where there are rows behind an event, and `after_event` is "error".
    """
    of_event = units.get_indexer(pd.Index(events.unit))
    unknown = list(dict.fromkeys(events.unit[of_event < 0]))
    if unknown:
        if len(unknown) == len(set(events.unit)):
            raise DataError(
                f"the events are of units that have no rows: {listed(unknown)}; the rows are of {listed(list(units))}"
            )
        log.warning(
            "%s of units that have no rows, not used: %s", count_of((of_event < 0).sum(), "event"), listed(unknown)
        )
    events = _without_repeated(events)
    of_event = units.get_indexer(pd.Index(events.unit))
    cut = _Cutting(times.ticks, np.append(np.flatnonzero(np.diff(code, prepend=-1)), len(code)))
    # At one time a failure comes first: the reset is its repair.
    order = np.lexsort((~events.failure, events.times.ticks, of_event))
    order = order[of_event[order] >= 0]
    numbers, begins = np.unique(of_event[order], return_index=True)
    for unit, rows in zip(numbers, np.split(order, begins)[1:], strict=True):
        cut.unit(int(unit), events.times.ticks[rows], events.failure[rows], options.after_event)
    for unit in np.setdiff1d(np.arange(len(units)), numbers):
        cut.unit(int(unit), events.times.ticks[:0], events.failure[:0], options.after_event)
    cut.tell(code, units, times, options, running)
    return Cuts(cut.kept, cut.number, cut.observed, cut.event_time)


def warn_of_late_failures(last: NDArray[np.int64], times: Times, cuts: Cuts, units: pd.Index) -> None:
    """Warn of failures that lie further behind the last row of their life than its rows reach.

    times: (N,) of the rows that are kept. last: (L,) the last row of each life. units: (L,) their names.
    """
    first = np.append(0, last[:-1] + 1)
    behind = cuts.event_time[cuts.kept][last] - times.ticks[last]
    late = np.flatnonzero((behind > times.ticks[last] - times.ticks[first]) & (last > first))
    if len(late):
        worst = late[np.argmax(behind[late])]
        log.warning(
            "the failures of %d lives lie further behind their last row than their rows reach, of %s by %s: a record "
            "that broke off, or a wrong time", len(late), units[worst], times.shown_length(behind[worst])
        )  # fmt: skip


def _without_repeated(events: Events) -> Events:
    keys = pd.DataFrame({"unit": events.unit, "time": events.times.ticks, "failure": events.failure})
    repeated = keys.duplicated().to_numpy()
    if not repeated.any():
        return events
    log.warning("%s there twice, and left out", count_of(repeated.sum(), "event is", "events are"))
    rows = np.flatnonzero(~repeated)
    return Events(events.unit[rows], events.times.select(rows), events.failure[rows])


class _Cutting:
    """The cuts so far, and counts of what was found."""

    def __init__(self, ticks: NDArray[Any], starts: NDArray[np.int64]) -> None:
        self.ticks, self.starts = ticks, starts
        self.kept = np.zeros(len(ticks), dtype=np.bool_)
        self.number = np.zeros(len(ticks), dtype=np.int64)
        self.observed = np.zeros(len(ticks), dtype=np.bool_)
        self.event_time = ticks.copy()
        self.behind = np.zeros(len(ticks), dtype=np.bool_)  # behind a failure that no reset follows
        self.down = self.unused = 0

    def unit(self, unit: int, happened: NDArray[Any], failure: NDArray[np.bool_], after_event: str) -> None:
        """Cut the rows of a unit at its events, which are sorted."""
        first, end = int(self.starts[unit]), int(self.starts[unit + 1])
        row, life, runs = first, 0, True
        reached = first + np.searchsorted(self.ticks[first:end], happened, side="right")
        for time, fails, upto in zip([*happened, None], [*failure, False], [*reached, end], strict=True):
            ends = time is None
            if upto > row and not runs and (fails or ends):
                self.behind[row:upto] = True
                if after_event == "new_unit":
                    runs = True
                else:
                    row = upto
            if upto > row and runs:
                self._life(row, upto, life, time if fails else None)
                row, life = upto, life + 1
                runs = not fails
            elif fails:
                self.unused += 1
                runs = runs and row == first
            elif not ends:
                self.down += upto - row
                row, runs = upto, True

    def _life(self, row: int, upto: int, life: int, failed_at: Any) -> None:
        rows = slice(row, upto)
        self.kept[rows] = True
        self.number[rows] = life
        self.observed[rows] = failed_at is not None
        self.event_time[rows] = self.ticks[upto - 1] if failed_at is None else failed_at

    def tell(
        self, code: NDArray[np.int64], units: pd.Index, times: Times, options: TableOptions, running: bool
    ) -> None:
        """Log the counts; raise DataError where there are rows behind an event that may not be there."""
        behind = self.behind
        if self.unused:
            log.warning(
                "%s no row of their unit before them: not used", count_of(self.unused, "failure has", "failures have")
            )
        if self.down:
            log.warning("%s between a failure and the reset behind it: left out", count_of(self.down, "row"))
        if not behind.any():
            return
        names = units[np.unique(code[behind])]
        if options.after_event == "error" or (running and options.after_event == "drop"):
            row = int(np.flatnonzero(behind)[0])
            drop = "" if running else "drop leaves such rows out, "
            raise DataError(
                f"unit {units[code[row]]} comes back after its event, at {options.time_column} {times.shown(row)} "
                f"({count_of(behind.sum(), 'row')} of {count_of(len(names), 'unit')}); "
                f"dataset.after_event={drop}new_unit makes units of them"
            )
        if options.after_event == "drop":
            rows = count_of(behind.sum(), "row")
            log.warning("%s of %s after their event: left out", rows, count_of(len(names), "unit"))
        else:
            back = count_of(len(names), "unit comes", "units come")
            log.info("%s back after an event; each of the lives is a unit, split together", back)
