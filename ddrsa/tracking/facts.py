"""What is known of a sweep and of its runs for a tracker: names, parameters, tags, results, files."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddrsa.analysis.foreign import RETURN_VALUE, is_foreign
from ddrsa.analysis.metrics import VALIDATION
from ddrsa.analysis.read_run import NO_NAME, read_run
from ddrsa.analysis.results import is_number
from ddrsa.follow.look import SeenRun, SweepLook
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import nested
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.started import TRAIN_JOB
from ddrsa.sweep.show.run_view import timestamp

PREFIX = "ddrsa."
# Of a run, in its own folder at the tracker.
_RUN_FILES = (".hydra/config.yaml", "test_metrics.json", "training_log.csv", "plots/*.png")
_CHECKPOINTS = ("checkpoint_best.pt",)
# Of the sweep.
_SWEEP_FILES = ("report.html", "analysis_plots/*.png", "*.csv", "best.yaml")


@dataclass(frozen=True)
class RunFacts:
    """A run for a tracker. hash: of the results."""

    params: dict[str, Any]
    tags: dict[str, str]
    metrics: dict[str, float]
    hash: str


def run_facts(run: SeenRun, sweep: SweepLook, extra: Mapping[str, str]) -> RunFacts:
    """What is known of a run now. extra: tags of the user's."""
    place = run.directory.relative_to(sweep.directory).as_posix()
    found = read_run(RunDirectory(run.directory), place, "")
    done = run.state.is_done
    foreign = is_foreign(found.config) or any(key.startswith("scripts.") for key in found.config)
    returned = run.status.get("return_value")
    if foreign and returned is not None and is_number(returned):  # of a launcher that leaves it in no status.json
        found.metrics.setdefault(RETURN_VALUE, float(returned))
    metrics = {_result_name(name, foreign): value for name, value in found.metrics.items() if math.isfinite(value)}
    status = {**run.status, **{key: found.status[key] for key in ("dataset", "model")}}
    tags: dict[str, Any] = {"state": str(run.state), "directory": place, "reason": run.reason or ""}
    tags |= {
        key: status.get(key) for key in ("hostname", "device", "gpu_index", "attempt", "trial", "dataset", "model")
    }
    shown = {f"{PREFIX}{key}": str(value) for key, value in tags.items() if value not in (None, "", NO_NAME)}
    digest = hashlib.sha256(json.dumps([metrics, shown], sort_keys=True).encode()).hexdigest()
    return RunFacts(found.config, {**code_tags(sweep), **shown, **extra}, metrics if done else {}, digest)


def _result_name(name: str, foreign: bool) -> str:
    """Results stand beside the metrics of epochs, which may have the same names."""
    if foreign:
        return f"result/{name}"
    return f"validation/{name.removeprefix(VALIDATION)}" if name.startswith(VALIDATION) else f"test/{name}"


def code_tags(sweep: SweepLook) -> dict[str, str]:
    """The code of a sweep, by its manifest."""
    commit, dirty = (nested(sweep.manifest, f"git.{key}") for key in ("commit", "dirty"))
    tags = {} if not isinstance(commit, str) else {f"{PREFIX}git_commit": commit}
    return {**tags, f"{PREFIX}git_dirty": "true"} if tags and dirty else tags


def sweep_tags(sweep: SweepLook) -> dict[str, str]:
    """What is known of a sweep as a whole."""
    command = sweep.manifest.get("command")
    tags = {"directory": str(sweep.directory), "command": shlex.join(map(str, command)) if command else ""}
    tags |= {key: str(sweep.manifest.get(key) or "") for key in ("hostname", "created_at")}
    tags["version"] = str(nested(sweep.manifest, "versions.ddrsa") or "")
    return {**code_tags(sweep), **{f"{PREFIX}{key}": value for key, value in tags.items() if value}}


def program_name(directory: Path) -> str:
    """What experiments are called by default: after the program; ddrsa for the project's own."""
    name = None
    for file in (directory / CONFIG, directory / ".hydra" / "hydra.yaml"):
        try:
            name = name or nested(read_yaml(file), "hydra.job.name")
        except (OSError, ValueError):
            continue
    return "ddrsa" if name is None or name == TRAIN_JOB else str(name)


def began_at(status: Mapping[str, Any], default: float) -> int:
    """When an attempt began, in milliseconds since 1970."""
    began = timestamp(status.get("started_at"))
    return int(1000 * (default if began is None else began))


def ended_at(run: SeenRun) -> int | None:
    """When a run ended, in milliseconds since 1970; None where nothing says so."""
    ended = timestamp(run.status.get("ended_at") or run.status.get("updated_at"))
    return None if ended is None else int(1000 * ended)


def run_files(run: SeenRun, checkpoints: bool) -> list[tuple[Path, str]]:
    """The files of a run that has ended, each with its folder at the tracker."""
    patterns = (*_RUN_FILES, *(_CHECKPOINTS if checkpoints else ()))
    return _files(run.directory, patterns)


def sweep_files(directory: Path) -> list[tuple[Path, str]]:
    """Those of the analysis of a sweep."""
    return _files(directory, _SWEEP_FILES)


def _files(directory: Path, patterns: tuple[str, ...]) -> list[tuple[Path, str]]:
    found = [path for pattern in patterns for path in sorted(directory.glob(pattern))]
    kept = [path for path in found if path.is_file() and not path.is_symlink()]
    return [(path, "/".join(path.relative_to(directory).parts[:-1]).lstrip(".")) for path in kept]


def state_of_sweep(runs: list[SeenRun], planned: int | None, ended: bool) -> State:
    """That of the sweep as a whole."""
    if not ended:
        return State.RUNNING
    if any(run.state is State.INTERRUPTED or not run.state.has_ended for run in runs) or len(runs) < (planned or 0):
        return State.INTERRUPTED
    failed = any(run.state.needs_a_look for run in runs if not run.optional)
    return State.FAILED if failed else State.COMPLETED
