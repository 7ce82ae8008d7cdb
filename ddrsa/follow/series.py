"""Metrics of each epoch, as a run's files hold them: its training log, or the logs of other tasks and scripts."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddrsa.rundir.files import read_text
from ddrsa.rundir.training import TrainingDirectory

# Columns that say of which epoch or step a row is, those that come first before the others.
STEPS = ("epoch", "step", "global_step", "iteration", "iter", "round", "batch")
MOST_BYTES = 4 * 2**20
_EVENTS = "events.out.tfevents."
_SECONDS = "seconds"


@dataclass(frozen=True)
class Row:
    """The metrics of a step. seconds: since 1970, where the file says when; else since the run began, or None."""

    step: int
    values: dict[str, float]
    seconds: float | None = None
    absolute: bool = False


@dataclass(frozen=True)
class Series:
    """The rows of a file, in its order. name: of the file beneath the run. events: whether TensorBoard reads it."""

    name: str
    rows: Sequence[Row]
    events: bool = False


class SeriesReader:
    """Reads the series of a run; a file again only when it has changed. `notes` says what cannot be read."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.notes: list[str] = []
        self._read: dict[Path, tuple[tuple[int, int], Series | None]] = {}

    def read(self) -> list[Series]:
        """All series that there are now."""
        log = TrainingDirectory(self.run).training_log
        paths = [log] if log.exists() else sorted(self._others())
        found = [self._series(path) for path in paths]
        return [series for series in found if series is not None and series.rows]

    def _others(self) -> Iterator[Path]:
        for path in self.run.rglob("*"):
            inner = path.relative_to(self.run).parts
            named = path.suffix.lower() == ".csv" or path.name.startswith(_EVENTS)
            if named and not any(part.startswith(".") for part in inner) and path.is_file() and not path.is_symlink():
                yield path

    def _series(self, path: Path) -> Series | None:
        try:
            stamp = (path.stat().st_size, path.stat().st_mtime_ns)
            if path in self._read and self._read[path][0] == stamp:
                return self._read[path][1]
            series = self._parse(path, stamp[0])
        except (OSError, ValueError, csv.Error) as error:
            self.notes.append(f"{path}: its metrics are left out: {' '.join(str(error).split())}")
            series = None
        self._read[path] = (stamp, series)
        return series

    def _parse(self, path: Path, size: int) -> Series | None:
        name = path.relative_to(self.run).as_posix()
        if path.name.startswith(_EVENTS):
            return _read_events(path, name)
        if size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES >> 20} MiB")
        return _read_csv(read_text(path), name)


def _read_csv(text: str, name: str) -> Series | None:
    """None where no column says of which step a row is: a table of results, say."""
    lines = [line for line in text.removeprefix("\ufeff").splitlines() if "\0" not in line]
    if not text.endswith("\n"):
        lines = lines[:-1]  # a row that is being written
    reader = csv.DictReader(lines)
    columns = {(column or "").strip().lower(): column for column in reader.fieldnames or ()}
    step = next((columns[each] for each in STEPS if each in columns), None)
    if step is None:
        return None
    rows: dict[int, dict[str, float]] = {}  # the metrics of one epoch may stand in several rows
    for row in reader:
        number = _number(row.get(step))
        if number is None or not number.is_integer():
            continue
        values = rows.setdefault(int(number), {})
        for column, cell in row.items():
            value = _number(cell) if column not in (None, step) else None
            if value is not None:
                values[column.strip()] = value
    found, spent, timed = [], 0.0, True
    for number_of_step, values in rows.items():
        timed = timed and _SECONDS in values
        spent += values.get(_SECONDS, 0.0)
        found.append(Row(number_of_step, values, spent if timed else None))
    return Series(name, found)


def _read_events(path: Path, name: str) -> Series | None:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ModuleNotFoundError as error:
        raise ValueError("it is read with the extra tensorboard: pip install 'ddrsa[tensorboard]'") from error
    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    rows: dict[int, tuple[dict[str, float], float]] = {}
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            values, _ = rows.setdefault(event.step, ({}, event.wall_time))
            if math.isfinite(event.value):
                values[tag] = event.value
    return Series(name, [Row(step, values, at, True) for step, (values, at) in sorted(rows.items())], events=True)


def _number(cell: object) -> float | None:
    try:
        value = float(cell) if isinstance(cell, str) else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
