"""The runs of a sweep as tables in memory: one row per run, and one row per run and cost of a missed failure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ddrsa.analysis.run_config import read_run_config
from ddrsa.analysis.run_state import UNREADABLE, shown_state
from ddrsa.errors import ConfigError
from ddrsa.rundir import RunDirectory, find_runs

# The columns of `Sweep.runs` that are no hyperparameter and no metric.
STATUS_FIELDS = ("attempt", "epoch", "gpu_index", "started_at", "ended_at")
COLUMNS = ("directory", "dataset", "model", "state", "reason", "log", "best_validation_loss", *STATUS_FIELDS)

_OTI_NAMES = ("directory", "dataset", "model")
_OTI_VALUES = ("cost", "miss_rate", "mean_time_to_event")

# These name a run in every table, so they are not repeated among the swept values.
NAME_KEYS = frozenset({"dataset", "dataset.name", "dataset.subset", "model", "model.name"})


@dataclass(frozen=True)
class Sweep:
    """What the run directories of one sweep hold.

    runs: one row per run, in the order of the directories, with `COLUMNS`, the hyperparameters and the metrics. A
        hyperparameter that a run does not have is NaN; one that is null is None. `directory` is relative to `path`.
    oti: directory, dataset, model, cost, miss_rate, mean_time_to_event (cycles): one row per run and cost.
    swept: the hyperparameters that took more than one value.
    metrics: the numbers of test_metrics.json.
    """

    path: Path
    runs: pd.DataFrame
    oti: pd.DataFrame
    swept: list[str]
    metrics: list[str]

    @property
    def completed(self) -> pd.DataFrame:
        """The rows of the completed runs."""
        return self.runs[self.runs["state"] == "completed"]


def collect(path: Path | str) -> Sweep:
    """Read every run directory beneath `path`. A run that cannot be read is a row with the reason.

    Raises ConfigError where `path` is no directory or holds no run.
    """
    path = Path(path)
    if not path.is_dir():
        raise ConfigError(f"hydra.sweep.dir={path}: there is no such directory")
    runs = [_read_run(run, path) for run in find_runs(path)]
    if not runs:
        raise ConfigError(f"hydra.sweep.dir={path}: it holds no run (a directory with .hydra/config.yaml)")

    metrics = _names(run.metrics for run in runs)
    # A foreign task may have a hyperparameter called `epoch`: it must not hide the run's own column, nor be hidden.
    taken = {*COLUMNS, *metrics} - NAME_KEYS
    for run in runs:
        run.config = {f"config.{key}" if key in taken else key: value for key, value in run.config.items()}
    config_keys = _names(run.config for run in runs)
    columns = list(dict.fromkeys([*COLUMNS, *config_keys, *metrics]))
    # As objects, so that whole numbers stay whole where another run has no value.
    frame = pd.DataFrame([run.row() for run in runs], columns=columns, dtype=object)
    frame = frame.astype(dict.fromkeys(["best_validation_loss", *metrics], float))
    oti = pd.DataFrame([row for run in runs for row in run.oti_rows()], columns=[*_OTI_NAMES, *_OTI_VALUES])
    return Sweep(path, frame, oti, [key for key in config_keys if _is_swept(key, runs)], metrics)


@dataclass
class _Run:
    status: dict[str, Any]
    config: dict[str, Any]
    metrics: dict[str, float]
    oti: list[dict[str, Any]]

    def row(self) -> dict[str, Any]:
        return {**self.config, **self.metrics, **self.status}

    def oti_rows(self) -> list[dict[str, Any]]:
        names = {key: self.status[key] for key in _OTI_NAMES}
        return [{**names, **{key: point.get(key) for key in _OTI_VALUES}} for point in self.oti]


def _read_run(run: RunDirectory, root: Path) -> _Run:
    problems: list[str] = []

    def read(reader: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        try:
            return reader() or {}
        except (OSError, ValueError) as error:
            problems.append(" ".join(str(error).split()))
            return {}

    config = read(lambda: read_run_config(run.config))
    status = read(run.read_status)
    result = read(run.read_test_metrics)
    oti = result.get("oti") or []
    if not isinstance(oti, list) or not all(isinstance(point, dict) for point in oti):
        problems.append(f"{run.test_metrics} holds an `oti` that is no list of objects")
        oti = []

    state, reason = shown_state(status)
    if state == "completed" and not result and not problems:
        problems.append(f"{run.test_metrics} is missing although the run has completed")
    if problems:
        state, reason = UNREADABLE, "; ".join(problems)

    metrics = _numbers(result)
    loss = status.get("best_validation_loss")
    return _Run(
        status={
            "directory": run.path.relative_to(root).as_posix(),
            "dataset": _group_name(config, "dataset"),
            "model": _group_name(config, "model"),
            "state": state,
            "reason": reason,
            "log": str(run.log) if run.log.exists() else None,
            "best_validation_loss": loss if _is_number(loss) else metrics.get("best_validation_loss"),
            **{field: status.get(field) for field in STATUS_FIELDS},
        },
        config=config,
        metrics=metrics,
        oti=oti,
    )


def _group_name(config: dict[str, Any], group: str) -> str:
    name = str(config.get(f"{group}.name", config.get(group, "-")))
    subset = config.get(f"{group}.subset")
    return name if subset is None else f"{name}/{subset}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(result: dict[str, Any]) -> dict[str, float]:
    """The numbers of test_metrics.json. One that is not finite is NaN; a run directory holds null for it."""
    return {
        key: math.nan if value is None or not math.isfinite(value) else float(value)
        for key, value in result.items()
        if key not in ("schema_version", "oti") and (value is None or _is_number(value))
    }


def _names(mappings: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _is_swept(key: str, runs: list[_Run]) -> bool:
    """Whether `key` took more than one value; a key of a group counts within one choice of that group only.

    `model=lstm,gru` changes every key of the group `model`, but only `model.name` was swept.
    """
    group = key.partition(".")[0] if key not in NAME_KEYS else ""
    values: dict[str, set[Any]] = {}
    for run in runs:
        if key in run.config:
            choice = run.status[group] if group in ("dataset", "model") else ""
            values.setdefault(choice, set()).add(run.config[key])
    return any(len(seen) > 1 for seen in values.values())
