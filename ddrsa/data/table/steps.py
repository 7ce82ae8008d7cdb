"""Steps of equal length: the rows of a table as they are, or resampled."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.options import TableOptions
from ddrsa.data.table.lives import Lives
from ddrsa.errors import ConfigError, DataError

log = logging.getLogger(__name__)

TOLERANCE = 1e-6
"""Of a step: times that are stored in binary are never exact."""

MOST_STEPS = 100_000_000


@dataclass(frozen=True)
class Steps:
    """life: (N,) of each step, as in `Lives`. time_to_event: (N,) in steps, 0 at the step of the event.

    time: (N,) of the row, or the beginning of the step. length: of a step, in the units of `Lives.time`; None where no
    life has two rows.
    """

    life: NDArray[np.int64]
    time_to_event: NDArray[np.float64]
    time: NDArray[np.float64]
    length: float | None

    def select(self, kept: NDArray[np.bool_]) -> Steps:
        return Steps(self.life[kept], self.time_to_event[kept], self.time[kept], self.length)


def regular_steps(lives: Lives) -> Steps:
    """One step for each row. Raises DataError where the rows of the lives are not all equally far from each other."""
    gaps = np.diff(lives.time)[np.diff(lives.life) == 0]
    step = float(np.median(gaps)) if len(gaps) else 1.0
    wrong = np.abs(np.diff(lives.time) - step) > TOLERANCE * step
    wrong &= np.diff(lives.life) == 0
    if wrong.any():
        row = np.flatnonzero(wrong)[0]
        raise DataError(
            f"unit {lives.names[lives.life[row]]} goes from {_shown(lives, row)} to {_shown(lives, row + 1)}, other "
            f"rows lie {_length(lives, step)} apart ({wrong.sum()} of {len(gaps)} steps are irregular); dataset.step "
            "resamples to steps of equal length"
        )
    last = np.append(np.flatnonzero(np.diff(lives.life)), len(lives.life) - 1)
    beyond = (lives.event_time - lives.time[last]) / step
    whole = np.round(beyond)
    odd = np.flatnonzero(np.abs(beyond - whole) > 1e-3)
    if len(odd):
        raise DataError(
            f"the event of unit {lives.names[odd[0]]} is {beyond[odd[0]]:.3f} steps after its last row, a whole number "
            "is expected; dataset.step resamples"
        )
    position = np.arange(len(lives.life))
    return Steps(lives.life, last[lives.life] - position + whole[lives.life], lives.time, step if len(gaps) else None)


def resampled_steps(
    lives: Lives, rows: pd.DataFrame, options: TableOptions, numeric: list[str]
) -> tuple[Steps, pd.DataFrame]:
    """Steps of `options.step`, counted from the first row of each life, and the aggregated rows; empty steps are NaN.

    The event lies in the last step of its life. Categories take the last value of a step.
    """
    step = _step(options, lives.dates)
    first = np.append(0, np.flatnonzero(np.diff(lives.life)) + 1)
    start = lives.time[first]
    number = np.floor((lives.time - start[lives.life]) / step + TOLERANCE).astype(np.int64)
    last = np.append(first[1:], len(lives.life)) - 1
    counts = number[last] + 1
    if counts.sum() > MOST_STEPS:
        raise ConfigError(f"dataset.step is {options.step!r}: that gives {counts.sum()} steps")
    event_step = np.floor((lives.event_time - start) / step + TOLERANCE).astype(np.int64)
    how = {str(column): options.aggregation if column in numeric else "last" for column in rows}
    grouped = rows.groupby([lives.life, number], sort=False)
    # A sum over nothing is not 0 but unknown.
    taken = {c: grouped[c].sum(min_count=1) if name == "sum" else grouped[c].agg(name) for c, name in how.items()}
    life = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(life)) - np.repeat(np.cumsum(counts) - counts, counts)
    resampled = pd.DataFrame(taken).reindex(pd.MultiIndex.from_arrays([life, position]))
    empty = len(life) - len(np.unique(np.stack([lives.life, number]), axis=1).T)
    log.info("%d rows are resampled to %d steps of %s, %d of them empty", len(rows), len(life), options.step, empty)
    time = start[life] + position * step
    return Steps(life, (event_step[life] - position).astype(np.float64), time, step), resampled


def _step(options: TableOptions, dates: bool) -> float:
    """The step in the units of the times."""
    if not dates:
        if isinstance(options.step, str):
            raise ConfigError(
                f"dataset.step is {options.step!r}, but column {options.time_column} has numbers: a number is expected"
            )
        return float(options.step)
    if not isinstance(options.step, str):
        raise ConfigError(
            f"dataset.step is {options.step!r}, but column {options.time_column} has dates: a duration such as 15h is "
            "expected"
        )
    try:
        seconds = pd.Timedelta(options.step) / pd.Timedelta(seconds=1)
    except ValueError as error:
        raise ConfigError(
            f"dataset.step={options.step}: allowed is a duration of a fixed length such as 30min, 15h or 1D"
        ) from error
    if seconds <= 0:
        raise ConfigError(f"dataset.step={options.step}: allowed is a duration above 0")
    return float(seconds)


def _shown(lives: Lives, row: int) -> str:
    return str(pd.Timestamp(lives.time[row], unit="s")) if lives.dates else f"{lives.time[row]:g}"


def _length(lives: Lives, step: float) -> str:
    return str(pd.Timedelta(seconds=step)) if lives.dates else f"{step:g}"
