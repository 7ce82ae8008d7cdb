"""The one in-memory form of a data set: the rows of all units in one array."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddrsa.data.labels import Labels
from ddrsa.errors import DataError

ARRAYS = {"features": np.float32, "unit": np.int64, "time_to_event": np.float32, "event_observed": np.bool_}
GROUP = "group"
TIME = "time"
META = "meta.json"


@dataclass(frozen=True, eq=False)
class Sequences:
    """N rows of U units with F features; a row is one cycle of one unit.

    features: (N, F) float32, or float64 before they are scaled: a large counter has more digits than float32 holds.
    unit: (N,) int64, the unit of each row. The rows of a unit are contiguous and in time order.
    time_to_event: (N,) float32, in cycles; it falls by one from row to row. 0 at the row of the failure. For a
        right-censored unit: the cycles from the row to the unit's last row, which it is known to survive.
    event_observed: (N,) bool, constant within a unit; False for a right-censored unit.
    feature_names: F names.
    group: (N,) int64, constant within a unit, or None: what must not be parted by a split, such as the machine where
        a unit is one of its lives. None: each unit is on its own.
    labels: what the files call the units and the times of the rows, or None: `unit_names` are then the numbers.

    Raises ValueError where an array breaks these rules, DataError where a feature is not finite.
    """

    features: NDArray[np.float32] | NDArray[np.float64]
    unit: NDArray[np.int64]
    time_to_event: NDArray[np.float32]
    event_observed: NDArray[np.bool_]
    feature_names: tuple[str, ...]
    group: NDArray[np.int64] | None = None
    labels: Labels | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_units()
        self._check_features()

    def _check_shapes(self) -> None:
        for name, dtype in ARRAYS.items():
            found = getattr(self, name).dtype
            if found != dtype and not (name == "features" and found == np.float64):
                raise ValueError(f"{name} has dtype {found}, {np.dtype(dtype)} is expected")
        rows = len(self.unit)
        if rows == 0:
            raise ValueError("sequences need at least one row")
        for name in ARRAYS:
            shape = (rows, len(self.feature_names)) if name == "features" else (rows,)
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, {shape} is expected")
        if self.group is not None and (self.group.shape != (rows,) or self.group.dtype != np.int64):
            raise ValueError(f"group is {self.group.dtype} {self.group.shape}, int64 {(rows,)} is expected")
        if len(set(self.feature_names)) != len(self.feature_names):
            raise ValueError(f"feature_names has a name twice: {', '.join(self.feature_names)}")

        labels = self.labels
        if labels is not None and (
            len(labels.unit) != self.num_units
            or any(each is not None and each.shape != (self.num_units,) for each in (labels.life, labels.first))
            or (labels.time is not None and labels.time.shape != (rows,))
        ):
            raise ValueError(f"labels are not those of {self.num_units} units and {rows} rows")

    def _check_units(self) -> None:
        ids, counts = np.unique(self.unit_ids, return_counts=True)
        if (counts > 1).any():
            raise ValueError(f"the rows of unit {ids[counts > 1][0]} are not contiguous")
        last = np.append(self.starts[1:], self.num_rows) - 1
        time = self.time_to_event
        if not (np.isfinite(time[last]) & (time[last] >= 0)).all():
            raise ValueError("time_to_event must be finite and not negative")
        same_unit = np.ones(self.num_rows, dtype=np.bool_)
        same_unit[self.starts] = False
        wrong = same_unit[1:] & (np.diff(time) != -1)
        if wrong.any():
            unit = self.unit[1:][wrong][0]
            raise ValueError(f"time_to_event of unit {unit} does not fall by one cycle from row to row")
        wrong = same_unit[1:] & (np.diff(self.event_observed.astype(np.int8)) != 0)
        if wrong.any():
            raise ValueError(f"event_observed changes within unit {self.unit[1:][wrong][0]}")
        wrong = same_unit[1:] & (np.diff(self.group if self.group is not None else self.unit) != 0)
        if wrong.any():
            raise ValueError(f"group changes within unit {self.unit[1:][wrong][0]}")
        wrong = ~self.event_observed[last] & (time[last] != 0)
        if wrong.any():
            raise ValueError(f"time_to_event of the censored unit {self.unit_ids[wrong][0]} is not 0 at its last row")

    def _check_features(self) -> None:
        finite = np.isfinite(self.features)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise DataError(
                f"feature {self.feature_names[column]} of unit {self.title_of_row(row)} is "
                f"{self.features[row, column]}, "
                "a finite number is expected"
            )

    @property
    def num_rows(self) -> int:
        return len(self.unit)

    @property
    def num_units(self) -> int:
        return len(self.starts)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(U,) the index of each unit's first row."""
        return np.append(0, np.flatnonzero(np.diff(self.unit)) + 1).astype(np.int64)

    @property
    def unit_ids(self) -> NDArray[np.int64]:
        """(U,) in the order of the rows."""
        return self.unit[self.starts]

    @cached_property
    def unit_start_of_row(self) -> NDArray[np.int64]:
        """(N,) the index of the first row of each row's unit."""
        return np.repeat(self.starts, np.diff(np.append(self.starts, self.num_rows)))

    @property
    def positions(self) -> NDArray[np.int64]:
        """(N,) the number of each row in its life, from 0, those counted that were left out at its beginning."""
        number = np.arange(self.num_rows) - self.unit_start_of_row
        first = None if self.labels is None else self.labels.first
        return number if first is None else number + np.repeat(first, np.diff(np.append(self.starts, self.num_rows)))

    @property
    def lifetimes(self) -> NDArray[np.float32]:
        """(U,) cycles from the first to the event, both counted; for a censored unit a lower bound."""
        return self.time_to_event[self.starts] + np.float32(1)

    @property
    def unit_event_observed(self) -> NDArray[np.bool_]:
        """(U,) whether the failure of each unit was observed."""
        return self.event_observed[self.starts]

    @property
    def unit_groups(self) -> NDArray[np.int64]:
        """(U,) the group of each unit; its own id where there are no groups."""
        return self.unit_ids if self.group is None else self.group[self.starts]

    @property
    def unit_names(self) -> tuple[str, ...]:
        """U texts, what the files call each unit: several lives of one machine have the same name."""
        return tuple(map(str, self.unit_ids)) if self.labels is None else self.labels.unit

    @property
    def unit_titles(self) -> tuple[str, ...]:
        """U texts that name each unit alone, with the number of its life: `CMP-001 (life 3)`."""
        return self.unit_names if self.labels is None else self.labels.titles

    def title_of_row(self, row: int) -> str:
        """The title of the unit of a row."""
        return self.unit_titles[np.searchsorted(self.starts, row, side="right") - 1]

    def select_units(self, ids: ArrayLike) -> Sequences:
        """The rows of the units `ids`, in the order in which they lie here. Raises ValueError for an unknown unit."""
        unknown = np.setdiff1d(ids, self.unit_ids)
        if len(unknown):
            raise ValueError(f"there is no unit {unknown[0]}")
        rows = np.isin(self.unit, ids)
        return Sequences(
            self.features[rows],
            self.unit[rows],
            self.time_to_event[rows],
            self.event_observed[rows],
            self.feature_names,
            None if self.group is None else self.group[rows],
            None if self.labels is None else self.labels.select(np.isin(self.unit_ids, ids), rows),
        )

    def with_features(self, features: NDArray[np.float32] | NDArray[np.float64], names: Iterable[str]) -> Sequences:
        """The same rows with other `features` (N, F) of these `names`."""
        return replace(self, features=features, feature_names=tuple(names))

    def save(self, directory: Path) -> None:
        """Write one .npy file per array, and the names and checksums as JSON, into a new or empty `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in ARRAYS}
        if self.group is not None:
            arrays[GROUP] = self.group
        meta: dict[str, Any] = {"feature_names": self.feature_names, "crc32": {}}
        if self.labels is not None:
            numbers = {"life": self.labels.life, "first": self.labels.first}
            meta["labels"] = {
                "unit": self.labels.unit,
                **{name: None if each is None else each.tolist() for name, each in numbers.items()},
                "zone": self.labels.zone,
                "step": self.labels.step,
            }
            if self.labels.time is not None:
                arrays[TIME] = self.labels.time
        for name, array in arrays.items():
            np.save(directory / f"{name}.npy", array)
            meta["crc32"][name] = _checksum(directory / f"{name}.npy")
        (directory / META).write_text(json.dumps(meta, indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Sequences:
        """Read what `save` wrote, memory-mapped and read-only, so that many processes share the memory.

        Raises DataError where a file is missing or is not what was written.
        """
        try:
            meta = json.loads((directory / META).read_text())
            arrays = {}
            for name in [*ARRAYS, *(name for name in (GROUP, TIME) if name in meta["crc32"])]:
                if _checksum(directory / f"{name}.npy") != meta["crc32"][name]:
                    raise DataError(f"{directory / name}.npy is damaged: its checksum is not the one in {META}")
                arrays[name] = np.load(directory / f"{name}.npy", mmap_mode="r")
            time = arrays.pop(TIME, None)
            labels = None
            if "labels" in meta:
                found = meta["labels"]
                life, first = (
                    None if found[name] is None else np.array(found[name], dtype=np.int64) for name in ("life", "first")
                )
                labels = Labels(tuple(found["unit"]), life, time, found["zone"], found["step"], first)
            return cls(**arrays, feature_names=tuple(meta["feature_names"]), labels=labels)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{directory} does not hold saved sequences: {error}") from error


def _checksum(path: Path) -> int:
    # The size alone does not show a block that was never flushed; the pages read here are those that are used next.
    return zlib.crc32(path.read_bytes())
