"""Summary of a sweep of scripts: a table, and summaries/training_summary_<time>.json."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich import box
from rich.table import Table
from rich.text import Text

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import now, write_json
from ddrsa.rundir.states import State
from ddrsa.screen import PlainConsole
from ddrsa.scripts.arguments import arguments_of
from ddrsa.scripts.jobs import find_job
from ddrsa.scripts.listing import not_reached
from ddrsa.scripts.options import ScriptsOptions, scripts_options
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.show.estimate import shown_duration
from ddrsa.sweep.show.run_view import run_seconds
from ddrsa.sweep.supervise.events import Outcome, SweepObserver, SweepOutcome
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

SUMMARIES = "summaries"


class TrainingSummary(SweepObserver):
    """Writes and prints the summary when the sweep has ended, however it ended."""

    def started(self, runs: Sequence[PlannedRun], n_jobs: int) -> None:  # noqa: ARG002
        for line in not_reached(map(_options_of, runs)):
            log.warning("%s", line)

    def ended(self, outcome: SweepOutcome) -> None:
        results = {run.directory: (run, result) for run, result in outcome.results}
        jobs = [_summary_of(run, result, outcome.directory) for run, result in results.values()]
        path = _free_path(outcome.directory / SUMMARIES)
        path.parent.mkdir(exist_ok=True)
        required = [job for job in jobs if not job["optional"]]
        success = not outcome.interrupted and all(State(job["state"]).is_done for job in required)
        write_json(
            path,
            {
                "created_at": now(),
                "success": success,
                "interrupted": outcome.interrupted,
                "seconds": round(outcome.seconds, 3),
                "counts": {state: sum(job["state"] == state for job in jobs) for state in _states(jobs)},
                "jobs": jobs,
            },
        )
        # No markup: the name of a script or a reason may have brackets.
        console = PlainConsole(highlight=False, markup=False, emoji=False)
        console.print(_table(jobs))
        for file in sorted({file for job in jobs for file in job["shared_files_changed"]}):
            users = [job["id"] for job in jobs if file in job["shared_files_changed"]]
            console.print(
                f"{file} was changed while {count_of(len(users), 'run was', 'runs were')} under way, and is none's own",
                soft_wrap=True,
            )
        for pattern in sorted({pattern for job in jobs for pattern in job["log_metrics_missing"]}):
            without = sum(pattern in job["log_metrics_missing"] for job in jobs)
            console.print(
                f"scripts.log_metrics: {without} of {count_of(len(jobs), 'run')} printed no number called {pattern}",
                soft_wrap=True,
            )
        console.print(f"summary: {os.path.relpath(path)}", soft_wrap=True)


def _summary_of(run: PlannedRun, outcome: Outcome, sweep_dir: Path) -> dict[str, Any]:
    directory = RunDirectory(run.directory)
    options = _options_of(run)
    try:
        status, metrics = directory.read_status() or {}, directory.read_test_metrics() or {}
    except ValueError:
        status, metrics = {}, {}
    return {
        "id": run.config["scripts"]["job"],
        "arguments": [*arguments_of(find_job(options), options), *options.extra_args],
        "state": outcome.state,
        "reason": outcome.reason,
        "optional": run.optional,
        "attempts": outcome.attempts,
        "exit_code": status.get("exit_code"),
        "seconds": None if outcome.state is State.PENDING else run_seconds(run.directory),
        "command": status.get("command"),
        "directory": os.path.relpath(run.directory, sweep_dir),
        "log": os.path.relpath(directory.log, sweep_dir),
        "output_dir": status.get("output_dir"),
        "shared_files_changed": status.get("shared_files_changed", []),
        "log_metrics_missing": status.get("log_metrics_missing", []),
        "metrics": {key: value for key, value in metrics.items() if key not in ("schema_version", "run_id")},
    }


def _options_of(run: PlannedRun) -> ScriptsOptions:
    options = scripts_options(OmegaConf.create({"scripts": run.config["scripts"]}))
    assert options is not None
    return options


def _states(jobs: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(job["state"] for job in jobs))


def _free_path(directory: Path) -> Path:
    """training_summary_<time>.json; a sweep that is done in parts may end several in a second."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d_%H%M%S")
    path, number = directory / f"training_summary_{stamp}.json", 2
    while path.exists():
        path, number = directory / f"training_summary_{stamp}_{number}.json", number + 1
    return path


def _table(jobs: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("job", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("tries", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for job in jobs:
        name = shlex.join([job["id"], *job["arguments"]])
        time = "" if job["seconds"] is None else shown_duration(job["seconds"])
        state = job["state"].replace("_", " ") + (" (optional)" if job["optional"] else "")
        cells = (name, state, str(job["attempts"] or ""), time, job["reason"] or "")
        table.add_row(*map(Text, cells))
    return table
