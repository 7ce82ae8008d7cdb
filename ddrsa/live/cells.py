"""Cells of the table of runs: what is known of a run, by the key of the column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ddrsa.analysis.foreign import RETURN_VALUE, foreign_metrics
from ddrsa.analysis.metrics import CRITERIA, VALIDATION, column, heading
from ddrsa.analysis.results import flat_metrics
from ddrsa.rundir.directory import RunDirectory
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.show.run_view import RunView
from ddrsa.texts import printable

# More metrics are in the panel of a run.
MOST_METRICS = 12

# What is known of any run, and its heading.
FIXED = {
    "run": "run", "state": "state", "epoch": "epoch", "seconds": "time (s)", "trial": "trial", "attempt": "attempt",
    "device": "device", "hostname": "host",
}  # fmt: skip
# Shown only where there is something to see: several hosts, a second attempt.
_RARE = ("trial", "attempt", "device", "hostname")


def read_metrics(view: RunView, *, foreign: bool) -> tuple[dict[str, float], list[str]]:
    """The results of a run that is done, and what is to be said of files that cannot be read."""
    run = RunDirectory(view.directory)
    try:
        if foreign:
            return foreign_metrics(run, view.status.get("return_value"))
        return flat_metrics(run.read_test_metrics() or {}), []
    except (OSError, ValueError) as error:
        return {}, [" ".join(str(error).split())]


def cells_of(
    view: RunView, values: Mapping[str, str], metrics: Mapping[str, float], shown: Presentation
) -> dict[str, Any]:
    """The cells of a run that have something in them. Texts are printable, numbers finite."""
    status = view.status
    epoch = "" if view.num_epochs is None else f"{view.epoch}/{view.num_epochs}"
    gpu = status.get("gpu_index")
    place = status.get("device") if gpu is None else f"GPU {gpu}"
    seconds = view.seconds
    found: dict[str, Any] = {
        "run": view.name,
        "state": view.state.value,
        "reason": view.reason,
        "epoch": epoch or (view.epoch or None),
        "seconds": None if seconds is None else round(seconds),
        "trial": status.get("trial"),
        "attempt": view.attempt or None,
        "device": place,
        "hostname": status.get("hostname"),
        **{f"value:{key}": as_value(text) for key, text in values.items()},
        **{f"status:{key}": status.get(key) for key in shown.columns},
        **{f"metric:{key}": value for key, value in metrics.items()},
    }
    return {key: cell for key, value in found.items() if (cell := _cell(value)) is not None}


def as_value(text: str) -> Any:
    """The text of an override as a number, where it is one: 8 comes before 16."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        rounded = float(f"{value:.6g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
    if value is None or value == "":
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else printable(value)


class Columns:
    """The columns of the table, as far as runs have something in them; they only become more."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._seen: dict[str, Any] = {}
        self._metrics: dict[str, None] = {}

    def add(self, cells: Mapping[str, Any]) -> bool:
        """Take note of a run's cells; whether there is a new column."""
        before = len(self._keys)
        for key, value in cells.items():
            if key in self._keys or key == "reason":
                continue
            if key in _RARE or key.startswith("value:"):
                # What is the same in all runs tells none from another.
                plain = (
                    value == 1 if key == "attempt" else key != "trial" and self._seen.setdefault(key, value) == value
                )
                if plain:
                    continue
            self._keys.add(key)
        return len(self._keys) > before

    def listed(self, shown: Presentation) -> list[dict[str, str]]:
        """Key, heading and kind of each, in the order of the table."""
        found = {**FIXED, **{f"status:{key}": title for key, title in shown.columns.items()}}
        values = sorted(key for key in self._keys if key.startswith("value:"))
        head = ["run", "state", *values, "epoch", *(key for key in found if key.startswith("status:"))]
        known = [*head, *_metrics_in_order(self._keys, shown), "seconds", *_RARE]
        titles = {f"metric:{_flat(key)}": title for key, title in shown.rank_by.items()}
        return [
            {"key": key, "label": printable(found.get(key) or titles.get(key) or _heading(key)), "kind": _kind(key)}
            for key in dict.fromkeys(known)
            if key in self._keys
        ]


def _metrics_in_order(keys: set[str], shown: Presentation) -> list[str]:
    first = [_flat(key) for key in shown.rank_by]
    judged = [name for each in CRITERIA for name in (column(each, "validation"), each)]
    rest = sorted(key.removeprefix("metric:") for key in keys if key.startswith("metric:"))
    own = any(name in rest for name in judged)
    order = [*first, *judged, "training_time_seconds"] if own else [*first, RETURN_VALUE, *rest]
    present = [f"metric:{name}" for name in dict.fromkeys(order) if f"metric:{name}" in keys]
    return present[:MOST_METRICS]


def _flat(key: str) -> str:
    """A dotted key of test_metrics.json by the name that its number has in tables."""
    return VALIDATION + key.removeprefix("validation.") if key.startswith("validation.") else key


def _heading(key: str) -> str:
    kind, _, name = key.partition(":")
    return heading(name) if kind == "metric" else name


def _kind(key: str) -> str:
    if key in ("run", "state", "device", "hostname"):
        return key if key in ("run", "state") else "text"
    return "text" if key.startswith("value:") else "number"


def seconds_taken(view: RunView, metrics: Mapping[str, float]) -> float | None:
    """Seconds that a run which is done took, as `run_seconds` says, by what has been read of it."""
    known = [view.seconds if view.status.get("ended_at") is not None else None, metrics.get("training_time_seconds")]
    return max((each for each in known if each is not None and math.isfinite(each)), default=None)
