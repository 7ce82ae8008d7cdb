"""Dry run: the runs that a command would do, printed and not done."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.utils import to_absolute_path
from omegaconf import DictConfig

from ddrsa.overrides import task_overrides
from ddrsa.rundir.directory import RunDirectory, find_runs
from ddrsa.rundir.states import State, is_done_for
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.show.estimate import Durations, durations_of, remaining_seconds, shown_duration
from ddrsa.sweep.show.run_view import RunView, view_of
from ddrsa.texts import count_of, printable


def print_sweep(
    runs: Sequence[PlannedRun],
    sweep_dir: Path,
    n_jobs: int,
    shown: Presentation,
    describe: Callable[[PlannedRun], str] | None = None,
) -> None:
    """Print each run with its number, state, swept values and directory; how many would start; how long it may take.

    n_jobs: how many run at once. describe: gives a text to show below each.
    """
    views = [_looked_at(view_of(run, shown)) for run in runs]
    # Two jobs with one config are one run.
    unique = {view.directory: view for view in views}
    to_start = [view for view in unique.values() if _would_start(view)]
    done = sum(_is_done(view) for view in unique.values())
    others = len(unique) - len(to_start) - done
    widths = [max(len(_shown_state(view)) for view in views), max(len(view.name) for view in views)]
    print(f"dry run: nothing is started, nothing is written; the sweep is {os.path.relpath(sweep_dir)}")
    for run, view in zip(runs, views, strict=True):
        place = os.path.relpath(run.directory, sweep_dir)
        print(printable(f"{run.number:>5}  {_shown_state(view):<{widths[0]}}  {view.name:<{widths[1]}}  {place}"))
        if describe is not None:
            print(printable(f"{'':>7}{describe(run)}"))
    parts = [f"{len(to_start)} of {count_of(len(views), 'run')} would start", f"{count_of(done, 'is', 'are')} done"]
    if others:
        parts.append(f"{count_of(others, 'is', 'are')} under way in another process")
    if len(unique) < len(views):
        parts.append(f"{count_of(len(views) - len(unique), 'is', 'are')} the same as another")
    print(", ".join(parts))
    if to_start:
        durations = durations_of(_done_runs(sweep_dir, list(unique.values()), shown))
        print(_estimate(to_start, durations, n_jobs))


def print_run(config: DictConfig) -> None:
    """Print the directory, the state and the overrides of the single run that `config` (with `hydra`) describes."""
    directory = Path(to_absolute_path(str(config.hydra.run.dir)))
    name = Presentation.of(config.hydra.launcher).short_name(task_overrides(config))
    view = _looked_at(RunView(name or "no overrides", directory))
    print("dry run: nothing is started, nothing is written")
    print(printable(f"{_shown_state(view)}  {view.name}  {os.path.relpath(directory)}"))
    print(f"{int(_would_start(view))} of 1 run would start")


def _looked_at(view: RunView) -> RunView:
    """`view` with the state that its files show."""
    view.refresh()
    exists = RunDirectory(view.directory).status.exists()
    view.state = State.UNREADABLE if exists and not view.status else State.of(view.status)
    if view.is_lost:
        view.state = State.LOST
    return view


def _would_start(view: RunView) -> bool:
    # As the launchers see it: a run that another process is at is left to it.
    return not _is_done(view) and view.state is not State.RUNNING


def _is_done(view: RunView) -> bool:
    whole = RunDirectory(view.directory).has_its_result(view.status)
    return is_done_for(view.status, search=False) and whole


def _shown_state(view: RunView) -> str:
    return {State.PENDING: "new", State.UNREADABLE: "damaged"}.get(view.state, view.state.value)


def _done_runs(sweep_dir: Path, planned: Sequence[RunView], shown: Presentation) -> list[RunView]:
    """The runs of the sweep that are done, also such as are not planned now."""
    views = {view.directory: view for view in planned}
    for run in find_runs(sweep_dir):
        if run.path not in views:
            config = _config_of(run)
            kind = shown.kind_of(config if isinstance(config, dict) else {})
            views[run.path] = _looked_at(RunView(run.path.name, run.path, kind))
    return [view for view in views.values() if view.state.is_done]


def _config_of(run: RunDirectory) -> object:
    try:
        return read_yaml(run.config)
    except (OSError, ValueError):
        return None


def _estimate(to_start: Sequence[RunView], durations: Durations, n_jobs: int) -> str:
    if durations.count == 0:
        return "how long that takes is not known: no run has completed there"
    waiting = [RunView(view.name, view.directory, view.kind) for view in to_start]
    seconds = remaining_seconds(waiting, durations, n_jobs)
    ended = count_of(durations.count, "run that has", "runs that have")
    at_once = min(n_jobs, len(waiting))
    return f"about {shown_duration(seconds)} with {at_once} at once, by the {ended} completed there"
