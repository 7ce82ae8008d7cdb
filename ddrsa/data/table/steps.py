"""Steps of equal length: the rows of a table as they are, or resampled."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.durations import step_in_nanoseconds
from ddrsa.data.table.lives import Lives
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import ConfigError, DataError

log = logging.getLogger(__name__)

TOLERANCE = 1e-6
"""Of a step: how far apart times may lie from a whole number of steps, where they are no whole numbers of ticks."""

MOST_STEPS = 100_000_000
SUNDAY = 6


@dataclass(frozen=True, eq=False)
class Steps:
    """life: (N,) of each step, as in `Lives`. time_to_event: (N,) in steps, 0 at the step of the event.

    time: (N,) of the row, or the beginning of the step, as `Labels` has it. length: of a step, in seconds (dates) or
    units of the time column; None where no life has two rows.
    """

    life: NDArray[np.int64]
    time_to_event: NDArray[np.float64]
    time: NDArray[Any]
    length: float | None

    def select(self, kept: NDArray[np.bool_]) -> Steps:
        """The steps that are kept."""
        return Steps(self.life[kept], self.time_to_event[kept], self.time[kept], self.length)


def regular_steps(lives: Lives) -> Steps:
    """One step for each row. Raises DataError where the rows of the lives are not all equally far from each other."""
    times = lives.times
    differences = np.diff(times.ticks)
    inside = np.diff(lives.life) == 0
    gaps = differences[inside]
    step = np.median(gaps) if len(gaps) else 1
    tolerance = TOLERANCE * step + (0 if times.ticks.dtype == np.int64 else 4 * np.spacing(np.abs(times.ticks).max()))
    wrong = (np.abs(differences - step) > tolerance) & inside
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"unit {lives.names[lives.life[row]]} goes from {times.shown(row)} to {times.shown(row + 1)}, other "
            f"rows lie {times.shown_length(step)} apart ({wrong.sum()} of {len(gaps)} steps are irregular); "
            f"dataset.step resamples to steps of equal length{_clock_changes(lives, wrong, differences[wrong], step)}"
        )
    last = np.append(np.flatnonzero(np.diff(lives.life)), len(lives.life) - 1)
    beyond = (lives.event_time - times.ticks[last]) / step
    # An event that was recorded between two rows lies in the step of the earlier one.
    whole = np.floor(beyond + TOLERANCE) if lives.between_rows else np.round(beyond)
    odd = np.flatnonzero(np.abs(beyond - whole) > 1e-3)
    if len(odd) and not lives.between_rows:
        raise DataError(
            f"the event of unit {lives.names[odd[0]]} is {beyond[odd[0]]:.3f} steps after its last row, a whole number "
            "is expected; dataset.step resamples"
        )
    position = np.arange(len(lives.life))
    length = times.length(step) if len(gaps) else None
    return Steps(lives.life, last[lives.life] - position + whole[lives.life], times.values(), length)


def _clock_changes(lives: Lives, rows: NDArray[np.bool_], wrong: NDArray[Any], step: Any) -> str:
    """A hint where steps are an hour longer or shorter: clocks were changed.

    rows: (N - 1,) the steps that are so. wrong: their lengths.
    """
    if not lives.times.dates:
        return ""
    hour = 3600 * 10**lives.times.digits
    off = np.abs(np.abs(wrong - step) - hour) < TOLERANCE * hour
    if not off.all():
        return ""
    if lives.times.zone is not None:
        day = step % (24 * hour) == 0
        return f"; by the clocks of {lives.times.zone} a day may have 23 or 25 hours" if day else ""
    if step == hour:
        # A row that was lost leaves the same gap: the night of a Sunday tells them apart.
        begin = pd.DatetimeIndex(lives.times.ticks[:-1][rows].astype(np.int64))
        if not ((begin.day_of_week == SUNDAY) & (begin.hour < 4)).all():
            return ""
    return "; where clocks were changed for summer, dataset.time_zone says so"


def resampled_steps(
    lives: Lives, rows: pd.DataFrame, options: TableOptions, numeric: list[str]
) -> tuple[Steps, pd.DataFrame]:
    """Steps of `options.step`, counted from the first row of each life, and the aggregated rows; empty steps are NaN.

    The event lies in the last step of its life. Categories take the last value of a step.
    """
    lives, step = _with_step(lives, options)
    _warn_of_clocks(lives, step)
    first = np.append(0, np.flatnonzero(np.diff(lives.life)) + 1)
    start = lives.times.ticks[first]
    number = _whole_steps(lives.times.ticks - start[lives.life], step)
    last = np.append(first[1:], len(lives.life)) - 1
    counts = number[last] + 1
    if counts.sum() > MOST_STEPS:
        raise ConfigError(f"dataset.step is {options.step!r}: that gives {counts.sum()} steps")
    event_step = _whole_steps(lives.event_time - start, step)
    how = {str(column): options.aggregation if column in numeric else "last" for column in rows}
    grouped = rows.groupby([lives.life, number], sort=False)
    # A sum over nothing is not 0 but unknown.
    taken = {c: grouped[c].sum(min_count=1) if name == "sum" else grouped[c].agg(name) for c, name in how.items()}
    life = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(life)) - np.repeat(np.cumsum(counts) - counts, counts)
    resampled = pd.DataFrame(taken).reindex(pd.MultiIndex.from_arrays([life, position]))
    empty = len(life) - len(np.unique(np.stack([lives.life, number]), axis=1).T)
    log.info("%d rows are resampled to %d steps of %s, %d of them empty", len(rows), len(life), options.step, empty)
    time = replace(lives.times, ticks=start[life] + position * step).values()
    length = lives.times.length(step)
    return Steps(life, (event_step[life] - position).astype(np.float64), time, length), resampled


def _warn_of_clocks(lives: Lives, step: float) -> None:
    """Warn where rows lie a day of the clocks apart, 23 or 25 hours among them, and steps have 24."""
    times = lives.times
    hour = 3600 * 10**times.digits
    if not times.dates or times.zone is None or step % (24 * hour):
        return
    gaps = np.diff(times.ticks)[np.diff(lives.life) == 0]
    changed = np.isin(gaps, [step - hour, step + hour])
    if changed.any() and np.isin(gaps[~changed], step * np.arange(1, 32)).all():
        log.warning(
            "by the clocks of %s %d days have 23 or 25 hours, so that two rows may fall into one step of %s; without "
            "dataset.time_zone each date is a day", times.zone, changed.sum(), times.shown_length(step)
        )  # fmt: skip


def _whole_steps(ticks: NDArray[Any], step: int | float) -> NDArray[np.int64]:
    if ticks.dtype == np.int64 and isinstance(step, int):
        return ticks // step
    return np.floor(ticks / step + TOLERANCE).astype(np.int64)


def _with_step(lives: Lives, options: TableOptions) -> tuple[Lives, int | float]:
    """The step in ticks, and the lives with ticks so small that it is a whole number of them where that is possible."""
    wanted = options.step
    if lives.times.dates:
        if not isinstance(wanted, str):
            raise ConfigError(
                f"dataset.step is {wanted!r}, but column {options.time_column} has dates: a duration such as 15h is "
                "expected"
            )
        return lives, step_in_nanoseconds(wanted)
    if isinstance(wanted, str):
        raise ConfigError(
            f"dataset.step is {wanted!r}, but column {options.time_column} has numbers: a number is expected"
        )
    step = Decimal(repr(wanted)).normalize()
    finer = lives.times.with_digits(max(0, -int(step.as_tuple().exponent)))
    if finer.ticks.dtype != np.int64:
        return lives, wanted * 10**lives.times.digits
    lives = replace(lives, times=finer, event_time=lives.event_time * 10 ** (finer.digits - lives.times.digits))
    return lives, int(step.scaleb(finer.digits))
