"""From the records of machines to one row every few hours: windows of telemetry, errors, time since replacements.

Every row is what was known at its hour t. Telemetry and errors of the hour t itself count: at the hour of a failure
the telemetry still shows the broken machine, and the repaired one from the hour after. A replacement counts from the
hour after it, so that the repair of a failure is not seen in the failure's own row. Windows end at t, and begin no
earlier than the sequence, so that the state before a repair is not mixed into the state after it.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.azure.hours import Grid, Records, fill_gaps, make_grid, sequence_spans
from ddrsa.data.labels import Labels
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

SHORT_WINDOW, LONG_WINDOW = 3, 24
"""Hours of the windows of telemetry; errors are counted over the long one."""

UNITS_PER_MACHINE = 1000
"""Sequence s of machine m, counted from 1, is unit m * 1000 + s."""


def make_sequences(
    records: Records,
    signals: tuple[str, ...],
    errors: tuple[str, ...],
    components: tuple[str, ...],
    models: tuple[str, ...],
    step_hours: int,
) -> Sequences:
    """One sequence for each failure of each machine, and a censored one for what follows its last failure.

    A sequence begins at the hour after a failure, or with the telemetry. Its rows lie `step_hours` apart, counted from
    its beginning: where a row lies must not depend on when the machine will fail. The last row of a sequence that ends
    with a failure is the hour of the failure, after a step that may be shorter. Components that fail in the same hour
    are one failure; failures outside the telemetry are left out.

    Raises DataError where a machine has no telemetry for more than `azure_grid.LONGEST_GAP` hours, or nothing is left.
    """
    grid = make_grid(records.telemetry)
    failed, inside = grid.cells(records.failures)
    if not inside.all():
        log.info("%d of %d failures lie outside the telemetry and are left out", (~inside).sum(), len(inside))
    starts, ends, observed = sequence_spans(grid, np.sort(failed))
    telemetry = fill_gaps(records.telemetry, signals, grid, starts)

    # Row k of a sequence ends its step k: k * step_hours hours after its beginning.
    length = ends - starts + 1
    num_full = length // step_hours
    num_rows = num_full + (observed & (length % step_hours != 0))
    span = np.repeat(np.arange(len(starts)), num_rows)
    step = np.arange(len(span)) - np.repeat(np.cumsum(num_rows) - num_rows, num_rows)
    cell = np.minimum(starts[span] + (step + 1) * step_hours - 1, ends[span])
    enough = np.isfinite(telemetry[cell]).all(axis=1)
    enough &= np.isfinite(telemetry[np.maximum(cell - 1, starts[span])]).all(axis=1)
    if not enough.all():
        log.warning("%s before the first telemetry of a sequence: left out", count_of((~enough).sum(), "row"))
        span, step, cell = span[enough], step[enough], cell[enough]
    if not len(cell):
        raise DataError("the telemetry holds no failure and no machine that runs for a whole step: there are no rows")

    features = {
        **_telemetry_features(telemetry, signals, cell, starts[span]),
        **_error_features(records.errors, errors, grid, cell, starts[span]),
        **_replacement_features(records.replacements, components, grid, cell),
        "age": records.machines["age"].reindex(grid.machine[cell]).to_numpy(np.float64),
    }
    model = records.machines["model"].reindex(grid.machine[cell]).to_numpy()
    features |= {f"model_{name}": (model == name).astype(np.float64) for name in models}
    machine = grid.machine[cell]
    number = _number_in_machine(grid, starts)
    first = np.append(0, np.flatnonzero(np.diff(span)) + 1)
    return Sequences(
        features=np.column_stack(list(features.values())).astype(np.float32),
        unit=machine * UNITS_PER_MACHINE + number[span],
        time_to_event=(num_rows[span] - 1 - step).astype(np.float32),
        event_observed=observed[span],
        feature_names=tuple(features),
        group=machine,
        labels=Labels(
            tuple(map(str, machine[first])),
            number[span[first]],
            (grid.hour[cell] * 3600).astype("datetime64[s]").astype("datetime64[ns]"),
            step=step_hours * 3600.0,
        ),
    )


def _number_in_machine(grid: Grid, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of each sequence among those of its machine, from 1."""
    machine = grid.machine[starts]
    first = np.searchsorted(machine, machine)
    number = np.arange(len(starts)) - first + 1
    if number.max() >= UNITS_PER_MACHINE:
        raise DataError(f"machine {machine[number.argmax()]} has {number.max()} sequences, at most 999 are expected")
    return number


def _telemetry_features(
    telemetry: NDArray[np.float64], signals: tuple[str, ...], cell: NDArray[np.int64], start: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Mean and sample standard deviation over the last hours up to `cell`, and from `start` at the earliest."""
    features: dict[str, NDArray[np.float64]] = {}
    for hours in (SHORT_WINDOW, LONG_WINDOW):
        offsets = cell[:, None] - np.arange(hours)
        means, deviations = {}, {}
        for column, signal in enumerate(signals):
            values = telemetry[np.maximum(offsets, 0), column]
            used = (offsets >= start[:, None]) & np.isfinite(values)
            values = np.where(used, values, 0.0)
            count = used.sum(axis=1)
            mean = values.sum(axis=1) / count
            squares = np.where(used, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
            means[f"{signal}_mean_{hours}h"] = mean
            deviations[f"{signal}_std_{hours}h"] = np.sqrt(squares / (count - 1))
        features |= means | deviations
    return features


def _error_features(
    events: pd.DataFrame, kinds: tuple[str, ...], grid: Grid, cell: NDArray[np.int64], start: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Counts of each error in the last `LONG_WINDOW` hours."""
    before = np.maximum(cell - LONG_WINDOW + 1, start)
    features = {}
    for kind in kinds:
        cells, _ = grid.cells(events[events["kind"] == kind])
        total = np.append(0, np.cumsum(np.bincount(cells, minlength=len(grid.hour))))
        features[f"{kind}_count_{LONG_WINDOW}h"] = (total[cell + 1] - total[before]).astype(np.float64)
    return features


def _replacement_features(
    events: pd.DataFrame, kinds: tuple[str, ...], grid: Grid, cell: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Days since each component was replaced, at an earlier hour; since the first telemetry where that is unknown."""
    # One number that sorts by machine, then by hour.
    hours_of_all = int(max(grid.last_hour.max(), events["hour"].max() if len(events) else 0)) + 1
    number = np.searchsorted(grid.machines, grid.machine[cell])
    now = grid.machine[cell] * hours_of_all + grid.hour[cell]
    features = {}
    for kind in kinds:
        of_kind = events[events["kind"] == kind]
        keys = np.sort((of_kind["machineID"] * hours_of_all + of_kind["hour"]).to_numpy(np.int64))
        last = np.searchsorted(keys, now, side="left") - 1
        key = keys[np.maximum(last, 0)] if len(keys) else np.zeros_like(now)
        known = (last >= 0) & (key // hours_of_all == grid.machine[cell])
        since = np.where(known, key % hours_of_all, grid.first_hour[number])
        if not known.all():
            machines = np.unique(grid.machine[cell][~known])
            log.info("%s of %d machines has no replacement before some rows", kind, len(machines))
        features[f"days_since_{kind}"] = (grid.hour[cell] - since) / 24
    return features
