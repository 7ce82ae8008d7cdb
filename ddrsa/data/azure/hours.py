"""Hourly grid of Microsoft's telemetry, and the sequences between failures."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.errors import DataError

log = logging.getLogger(__name__)

SHORTEST_SEQUENCE = 3
"""Hours; a shorter one has no full window of telemetry."""

LONGEST_GAP = 24
"""Hours without telemetry that are filled with the last value before them."""


@dataclass(frozen=True)
class Records:
    """The records of the machines; hours count from 1970, `machineID` and `hour` are int64.

    telemetry: machineID, hour and the signals (NaN: missing), sorted, each hour of a machine at most once.
    errors, replacements: machineID, hour, kind. failures: machineID, hour, no pair twice.
    machines: model and age, by machineID.
    """

    telemetry: pd.DataFrame
    errors: pd.DataFrame
    replacements: pd.DataFrame
    failures: pd.DataFrame
    machines: pd.DataFrame


@dataclass(frozen=True)
class Grid:
    """One cell per machine and hour from its first to its last telemetry, the machines one after the other.

    machine, hour: of each cell. first_cell, first_hour, last_hour: of each of the sorted `machines`.
    """

    machine: NDArray[np.int64]
    hour: NDArray[np.int64]
    machines: NDArray[np.int64]
    first_cell: NDArray[np.int64]
    first_hour: NDArray[np.int64]
    last_hour: NDArray[np.int64]

    def cells(self, events: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The cell of each event, and which events lie in the grid at all."""
        number = np.searchsorted(self.machines, events["machineID"]).clip(max=len(self.machines) - 1)
        hour = events["hour"].to_numpy()
        known = self.machines[number] == events["machineID"].to_numpy()
        inside = known & (self.first_hour[number] <= hour) & (hour <= self.last_hour[number])
        return (self.first_cell[number] + hour - self.first_hour[number])[inside], inside


def make_grid(telemetry: pd.DataFrame) -> Grid:
    """The grid of `Records.telemetry`."""
    hours = telemetry.groupby("machineID")["hour"].agg(["min", "max"])
    first, last = hours["min"].to_numpy(), hours["max"].to_numpy()
    counts = last - first + 1
    first_cell = np.cumsum(counts) - counts
    machines = hours.index.to_numpy(np.int64)
    hour = np.arange(counts.sum()) - np.repeat(first_cell - first, counts)
    return Grid(np.repeat(machines, counts), hour, machines, first_cell, first, last)


def sequence_spans(
    grid: Grid, failed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """First and last cell of each sequence of at least `SHORTEST_SEQUENCE`, and whether it ends with a failure."""
    ends = np.union1d(failed, np.append(grid.first_cell[1:], len(grid.hour)) - 1)
    starts = np.append(0, ends[:-1] + 1)
    observed = np.isin(ends, failed)
    long_enough = ends - starts + 1 >= SHORTEST_SEQUENCE
    dropped = ~long_enough & observed
    if dropped.any():
        log.warning(
            "%d failures less than %d hours after another or after the first telemetry are left out",
            dropped.sum(),
            SHORTEST_SEQUENCE,
        )
    return starts[long_enough], ends[long_enough], observed[long_enough]


def fill_gaps(
    telemetry: pd.DataFrame, signals: tuple[str, ...], grid: Grid, starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(cells, signals); a missing value is the last one before it in the same sequence, or NaN where there is none."""
    values = np.full((len(grid.hour), len(signals)), np.nan)
    cells, _ = grid.cells(telemetry)
    values[cells] = telemetry[list(signals)].to_numpy(np.float64)
    missing = np.isnan(values)
    if not missing.any():
        return values
    machine_ends = np.append(grid.first_cell[1:], len(values)) - 1
    for column, signal in enumerate(signals):
        # Runs of missing cells, which end at the last cell of a machine.
        present_or_end = ~missing[:, column]
        present_or_end[machine_ends] = True
        last = np.flatnonzero(present_or_end)
        run = np.diff(np.append(-1, last)) - 1 + missing[last, column]
        if run.max() > LONGEST_GAP:
            cell = last[run.argmax()] - run.max() + missing[last[run.argmax()], column]
            raise DataError(
                f"machine {grid.machine[cell]} has no {signal} for {run.max()} hours from "
                f"{pd.Timestamp(int(grid.hour[cell]) * 3600, unit='s')}, at most {LONGEST_GAP} are filled"
            )
    sequence = np.zeros(len(values), dtype=np.int64)
    sequence[starts] = 1
    filled = pd.DataFrame(values).groupby(np.cumsum(sequence)).ffill().to_numpy()
    hours = int(missing.any(axis=1).sum())
    log.warning("telemetry is missing in %d of %d hours; the last values before it stand there", hours, len(values))
    return np.asarray(filled)
