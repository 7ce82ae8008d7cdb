"""Speed of this machine: the time that a sweep takes, judged by runs that it has done."""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from ddrsa.menu.presets import Plan
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.manifest import read_manifest
from ddrsa.rundir.sweep_files import MANIFEST
from ddrsa.sweep.show.run_view import run_seconds

# So many finished runs are read, the newest first: more would only make the menu slow to open.
MOST_RUNS = 300

# Parts of a data set that change neither its size nor its shape.
_NOT_SIZE = frozenset({"simulation_seed", "split_seed"})


@dataclass(frozen=True)
class _Observation:
    """seconds_per_epoch and overhead (what is not training) in seconds; steps: rows read and steps forecast."""

    batch_size: int
    steps: int
    seconds_per_epoch: float
    overhead: float


class Speed:
    """Times of the runs that ended on this machine."""

    def __init__(self) -> None:
        self._known: dict[str, list[_Observation]] = defaultdict(list)
        self._seen: set[Path] = set()

    @property
    def count(self) -> int:
        """The runs that were read."""
        return len(self._seen)

    def read(self, directory: Path) -> Speed:
        """Add the completed runs of the sweeps in `directory`, and one or two levels below it. Returns self."""
        manifests = [path for pattern in ("*/", "*/*/") for path in directory.glob(pattern + MANIFEST)]
        end = self.count + MOST_RUNS
        for manifest in sorted(manifests, key=lambda path: path.stat().st_mtime, reverse=True):
            for run in _runs_of(manifest):
                if self.count >= end:
                    return self
                self._add(manifest.parent, run)
        return self

    def seconds(self, plan: Plan) -> float | None:
        """The time of all runs of `plan`, if none stops early; None where a model was never run on that data set."""
        times = [self._run_seconds(run) for run in plan.runs]
        known = [seconds for seconds in times if seconds is not None]
        if len(known) < len(times) or not known:
            return None
        return max(sum(known) / plan.at_once, max(known))

    def _add(self, sweep_dir: Path, run: Mapping[str, Any]) -> None:
        try:
            directory = RunDirectory(sweep_dir / run["directory"])
            status, metrics = directory.read_status() or {}, directory.read_test_metrics() or {}
            config = run["config"]
            if directory.path in self._seen:
                return
            training, epochs = float(metrics["training_time_seconds"]), int(metrics["epochs_run"])
            seconds = run_seconds(directory.path)
            # Of a run that went on after an interruption the times do not fit each other.
            if status.get("hostname") != socket.gethostname() or status.get("attempt") != 1 or seconds is None:
                return
            steps = int(config["lookback"]) + int(config["horizon"])
            found = _Observation(
                int(config["batch_size"]), steps, training / max(epochs, 1), max(seconds - training, 0)
            )
            self._known[_kind(config)].append(found)
            self._seen.add(directory.path)
        except (OSError, ValueError, KeyError, TypeError):
            # Another version's, or a task of another kind: it tells nothing about these runs.
            return

    def _run_seconds(self, config: Mapping[str, Any]) -> float | None:
        known = self._known.get(_kind(config))
        if not known:
            return None
        steps = int(config["lookback"]) + int(config["horizon"])
        by_batch_size: dict[int, list[float]] = defaultdict(list)
        for each in known:
            # Of all lengths that were run: the work of an epoch grows about as its rows and steps.
            by_batch_size[each.batch_size].append(each.seconds_per_epoch * steps / each.steps)
        # An epoch takes a time that all its windows need, and one for each batch: a + b / batch_size.
        sizes = sorted(by_batch_size, reverse=True)
        times = [mean(by_batch_size[size]) for size in sizes]
        per_epoch = float(np.interp(1 / int(config["batch_size"]), [1 / size for size in sizes], times))
        return per_epoch * int(config["num_epochs"]) + mean(each.overhead for each in known)


def _runs_of(manifest: Path) -> Iterator[Mapping[str, Any]]:
    try:
        content = read_manifest(manifest.parent) or {}
    except ValueError:
        return
    yield from content.get("runs", [])
    yield from content.get("earlier_runs", [])


def _kind(config: Mapping[str, Any]) -> str:
    """The data set and the model, which runs must share to be compared."""
    dataset = {key: value for key, value in config["dataset"].items() if key not in _NOT_SIZE}
    return json.dumps([dataset, config["model"]], sort_keys=True)
