"""The runs of one sweep, or of several, as one table in memory: a row per run."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ddrsa.analysis.comparable import part_incomparable
from ddrsa.analysis.metrics import NO_QUALITY, OF_SUBSET, VALIDATION, set_time_units
from ddrsa.analysis.read_run import COLUMNS, Run, read_run
from ddrsa.analysis.time_units import TimeUnit, tell_times
from ddrsa.errors import ConfigError
from ddrsa.rundir.directory import RunDirectory, find_runs
from ddrsa.rundir.states import State

# These name a run in every table, so they are not repeated among the swept values.
NAME_KEYS = frozenset({"dataset", "dataset.name", "model", "model.name", "scripts.job"})

_REPEAT_KEYS = ("dataset.split_seed", "dataset.simulation_seed")
_REPEAT_NAMES = ("seed", "fold", "random_seed")


def is_repeat_key(key: str) -> bool:
    """Whether runs that differ in this key only are repeats of one configuration: seed, training.seed, fold, ..."""
    return key in _REPEAT_KEYS or key.rpartition(".")[2] in _REPEAT_NAMES


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep, as their directories hold them.

    path: the directory that the tables and plots are written into; of a single sweep, its own.
    sources: the directory of each sweep by its name; one, or several that are compared.
    runs: one row per run, in the order of the directories, with `COLUMNS`, the hyperparameters and the metrics. A
        hyperparameter that a run does not have is NaN; one that is null is None. `directory` is relative to `path`.
        A metric of the validation units has the prefix `validation_`.
    swept: the hyperparameters that took more than one value, with those of repeats; where the same run lies in
        several sweeps, `sweep` too.
    metrics: the numbers of test_metrics.json.
    apart: for the names of data sets that are parts of one whose runs cannot all be compared, the reason.
    time_units: in what the times among the metrics are told, by data set.
    intervals: by directory and metric, what the run itself says of how well it is known on its test units.
    """

    path: Path
    sources: dict[str, Path]
    runs: pd.DataFrame
    swept: list[str]
    metrics: list[str]
    apart: dict[str, str] = field(default_factory=dict)
    time_units: dict[str, TimeUnit] = field(default_factory=dict)
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    @property
    def completed(self) -> pd.DataFrame:
        """The rows of the completed runs."""
        return self.runs[self.runs["state"] == State.COMPLETED]

    @property
    def hyperparameters(self) -> list[str]:
        """The swept hyperparameters that make a configuration, without data set, model and repeats."""
        return [key for key in self.swept if key not in NAME_KEYS and not is_repeat_key(key)]

    @property
    def repeats(self) -> list[str]:
        """The keys that took several values and only repeat a configuration: seed, fold, ..."""
        return [key for key in self.swept if is_repeat_key(key)]

    @property
    def is_comparison(self) -> bool:
        """Whether the sweeps hold the same runs, so that they can be compared run by run."""
        return "sweep" in self.swept

    @property
    def quality_metrics(self) -> list[str]:
        """The metrics of the test units that say how good a model is."""
        return [
            key
            for key in self.metrics
            if not key.startswith(VALIDATION) and key.partition(OF_SUBSET)[0] not in NO_QUALITY
        ]


def collect(path: Path | str) -> Sweep:
    """Read every run directory beneath `path`. A run that cannot be read is a row with the reason.

    Raises ConfigError where `path` is no directory or holds no run.
    """
    return collect_all({"": Path(path)}, Path(path))


def collect_all(sources: dict[str, Path], path: Path) -> Sweep:
    """Read the runs beneath each of `sources`, by the name of the sweep, for tables that are written into `path`.

    Raises ConfigError where one of them is no directory or holds no run.
    """
    runs: list[Run] = []
    for name, source in sources.items():
        key = "sweeps" if len(sources) > 1 else "hydra.sweep.dir"
        if not source.is_dir():
            raise ConfigError(f"{key}={source}: there is no such directory")
        found = find_runs(source)
        if not found:
            raise ConfigError(f"{key}={source}: it holds no run (a directory with .hydra/config.yaml)")
        runs += [read_run(run, _shown_path(run, source, path), name) for run in found]

    apart = part_incomparable(runs)
    units = tell_times(runs)
    set_time_units({name: each.unit for name, each in units.items()})
    metrics = _names(run.metrics for run in runs)
    # A foreign task may have a hyperparameter called `epoch`: it must not hide the run's own column, nor be hidden.
    taken = {*COLUMNS, *metrics} - NAME_KEYS
    for run in runs:
        if run.config.keys() & taken:
            run.config = {f"config.{key}" if key in taken else key: value for key, value in run.config.items()}
    config_keys = _names(run.config for run in runs)
    columns = list(dict.fromkeys([*COLUMNS, *config_keys, *metrics]))
    # As objects, so that whole numbers stay whole where another run has no value.
    frame = pd.DataFrame([run.row() for run in runs], columns=columns, dtype=object)
    frame = frame.astype(dict.fromkeys(["best_validation_loss", "wall_seconds", *metrics], float))
    swept = [key for key in config_keys if _is_swept(key, runs)]
    if len(sources) > 1 and _overlap(runs):
        swept.insert(0, "sweep")
    intervals = {run.status["directory"]: run.intervals for run in runs if run.intervals}
    return Sweep(path, dict(sources), frame, swept, metrics, apart, units, intervals)


def _shown_path(run: RunDirectory, source: Path, path: Path) -> str:
    if source == path:
        return run.path.relative_to(source).as_posix()
    return Path(os.path.relpath(run.path, path)).as_posix()


def _names(mappings: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _is_swept(key: str, runs: Sequence[Run]) -> bool:
    """Whether `key` took more than one value; a key of a group counts within one choice of that group only.

    `model=lstm,gru` changes every key of the group `model`, but only `model.name` was swept.
    """
    group = key.partition(".")[0] if key not in NAME_KEYS else ""
    having = [run for run in runs if key in run.config]
    if group not in ("dataset", "model"):
        return len({run.config[key] for run in having}) > 1
    return len({(run.status[group], run.config[key]) for run in having}) > len({run.status[group] for run in having})


def _overlap(runs: Sequence[Run]) -> bool:
    """Whether a config lies in more than one sweep. Keys that one sweep does not have at all do not count."""
    by_sweep: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        if run.config:
            by_sweep.setdefault(run.status["sweep"], []).append(run.config)
    shared = set.intersection(*({key for config in configs for key in config} for configs in by_sweep.values()))
    seen: dict[tuple[Any, ...], str] = {}
    for name, configs in by_sweep.items():
        for config in configs:
            identity = tuple(config.get(key, math.nan) for key in sorted(shared))
            if seen.setdefault(identity, name) != name:
                return True
    return False
