"""Run directories, read into memory."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ddrsa.analysis.foreign import NO_STATUS, foreign_metrics, is_foreign, job_log
from ddrsa.analysis.results import flat_metrics, is_number, test_intervals_of
from ddrsa.analysis.run_config import read_run_config
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.job_file import read_job
from ddrsa.rundir.states import State, shown_state

# The data set or the model of a run whose config names none, or cannot be read.
NO_NAME = "-"

# The columns of a run that are no hyperparameter and no metric, in the order of runs.csv.
STATUS_FIELDS = ("run_id", "attempt", "epoch", "device", "gpu_index", "hostname", "started_at", "ended_at")
COLUMNS = (
    *("directory", "sweep", "dataset", "model", "state", "reason", "log"),
    *("best_validation_loss", *STATUS_FIELDS, "wall_seconds"),
)


@dataclass
class Run:
    """A run directory: `status` has the `COLUMNS`, `config` the hyperparameters, `metrics` the result.

    intervals: of its metrics on the test units, at 95 % by the bootstrap over them.
    comparison: what it has in common with the runs that it can be compared with; empty where it does not say.
    time_step: how long a step of its rows is, `length` in `unit`; empty where rows are cycles.
    """

    status: dict[str, Any]
    config: dict[str, Any]
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    comparison: dict[str, Any] = field(default_factory=dict)
    time_step: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """One row of the table of runs."""
        return {**self.config, **self.metrics, **self.status}


def read_run(run: RunDirectory, directory: str, sweep: str) -> Run:
    """Read what `run` left. Whatever is damaged makes it `unreadable`, with the reason; nothing is raised.

    directory: how the tables shall name it; sweep: the name of its sweep.
    """
    problems: list[str] = []

    def read(reader: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        try:
            return reader() or {}
        except (OSError, ValueError) as error:
            problems.append(" ".join(str(error).split()))
            return {}

    config = read(lambda: read_run_config(run.config))
    status = read(run.read_status)
    foreign = bool(config) and is_foreign(config)
    if foreign and not run.status.exists():
        status = read(lambda: read_job(run.path))
    result = {} if foreign else read(run.read_test_metrics)
    try:
        metrics = flat_metrics(result)
    except ValueError as error:
        problems.append(f"{run.test_metrics}: {error}")
        metrics = {}

    state, reason = shown_state(status, run.path)
    if foreign:
        metrics, notes = foreign_metrics(run, status.get("return_value"))
        if not status:
            # Hydra's own launchers write none.
            state = State.COMPLETED if metrics else State.PENDING
            notes.append(NO_STATUS + ("" if metrics else ", and no number in a JSON file"))
        reason = "; ".join(filter(None, [reason, *notes])) or None
    elif state is State.COMPLETED and not result and not problems:
        problems.append(f"{run.test_metrics} is missing although the run has completed")
    if problems:
        state, reason = State.UNREADABLE, "; ".join(problems)

    loss = status.get("best_validation_loss")
    return Run(
        status={
            "directory": directory,
            "sweep": sweep,
            "dataset": _group_name(config, "dataset"),
            "model": _group_name(config, "model"),
            "state": state.value,
            "reason": reason,
            "log": _existing(run.log) or (str(job_log(run.path) or "") or None if foreign else None),
            "best_validation_loss": loss if is_number(loss) else metrics.get("best_validation_loss"),
            **{field: status.get(field) for field in STATUS_FIELDS},
            "wall_seconds": _seconds(status),
        },
        config=config,
        metrics=metrics,
        intervals=test_intervals_of(result),
        comparison=comparison if isinstance(comparison := result.get("comparison"), dict) else {},
        time_step=step if isinstance(step := result.get("time_step"), dict) else {},
    )


def _group_name(config: dict[str, Any], group: str) -> str:
    name = str(config.get(f"{group}.name", config.get(group, NO_NAME)))
    # Of several subsets those that are evaluated are what a result is one of, whatever else has trained.
    subset = config.get(f"{group}.evaluate_on") or config.get(f"{group}.subset")
    if subset is None:
        return name
    several = re.findall(r"\w+", str(subset)) if str(subset).startswith("[") else [str(subset)]
    return f"{name}/{'+'.join(sorted(set(several)))}"


def _existing(path: Path) -> str | None:
    return str(path) if path.exists() else None


def _seconds(status: dict[str, Any]) -> float:
    """From the start of the last attempt to its end; NaN while it runs, or where a time cannot be read."""
    try:
        return (
            datetime.fromisoformat(status["ended_at"]) - datetime.fromisoformat(status["started_at"])
        ).total_seconds()
    except (KeyError, TypeError, ValueError):
        return math.nan
