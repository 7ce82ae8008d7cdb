"""Watching a sweep that runs elsewhere, by its directory."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ddrsa.errors import UsageError
from ddrsa.rundir.directory import find_runs
from ddrsa.rundir.manifest import read_manifest
from ddrsa.rundir.race_record import is_race
from ddrsa.rundir.states import State, launcher_lives
from ddrsa.rundir.sweep_files import MANIFEST, OWNERS
from ddrsa.sweep.presentation import KEY, Presentation
from ddrsa.sweep.race.record import print_answer
from ddrsa.sweep.show.display import Display, SweepView, open_display
from ddrsa.sweep.show.estimate import durations_of
from ddrsa.sweep.show.run_view import RunView, run_seconds
from ddrsa.sweep.show.summary import print_summary
from ddrsa.texts import count_of, printable

POLL_SECONDS = 1.0
# A run that failed may be tried again at once: the sweep has ended only when nothing has changed for so long.
SETTLED_SECONDS = 3.0


def watch(sweep_dir: Path | str, display: Display | None = None) -> int:
    """Show the sweep until all its runs have ended, or its launcher has; KeyboardInterrupt leaves it as it is.

    Returns the exit code that the sweep has: 0 where all runs that are not optional completed or were pruned, 130 where
    it was interrupted, else 1. Raises UsageError where `sweep_dir` is no sweep, or its manifest is damaged.
    """
    sweep_dir = Path(sweep_dir).absolute()
    shown = Presentation.of((_manifest(sweep_dir) or {}).get(KEY))
    runs = planned_runs(sweep_dir)
    for run in runs:
        run.follow()
    view = SweepView(runs, 1, durations_of(runs), columns=shown.columns)
    display = open_display() if display is None else display
    try:
        while not _has_ended(sweep_dir, view):
            if _grows(sweep_dir):
                view.runs = runs = _with_those_planned_since(sweep_dir, runs)
            for run in runs:
                if not run.state.is_done:
                    _look(run, view, display)
            view.n_jobs = max(len(view.active), 1)
            display.update(view)
            time.sleep(POLL_SECONDS)
    finally:
        display.close()
    print_summary(display.console, runs, print_best=_own_summary(sweep_dir), shown=shown)
    if view.ended < len(runs):
        host = (_manifest(sweep_dir) or {}).get("hostname")
        gone = "the launcher has gone"
        if host != socket.gethostname():
            gone = printable(f"nothing has been heard of the launcher on {host} for more than a minute")
        left = count_of(len(runs) - view.ended, "run has", "runs have")
        print(f"{gone}, and {left} not ended: its command goes on with what is left")
    if all(run.state.is_done or (run.optional and run.state.has_failed) for run in runs):
        return 0
    return 130 if any(run.state is State.INTERRUPTED for run in runs) else 1


def _has_ended(sweep_dir: Path, view: SweepView) -> bool:
    if view.active:
        return False
    launcher_lives = _launcher_lives(sweep_dir)
    if launcher_lives is False:
        return True
    if time.monotonic() - max(run.seen for run in view.runs) < SETTLED_SECONDS:
        return False
    # A search or a race plans another run when one has ended.
    return view.ended == len(view.runs) and not (_grows(sweep_dir) and launcher_lives)


def _grows(sweep_dir: Path) -> bool:
    """Whether the runs are planned one after the other."""
    return _is_search(sweep_dir) or is_race(sweep_dir)


def _is_search(sweep_dir: Path) -> bool:
    """A grid's manifest may be long, and is not read for that."""
    return (sweep_dir / OWNERS).is_dir()


def _own_summary(sweep_dir: Path) -> Callable[[Console], None] | None:
    """Prints the best trials of a search, which may be the highest, or the answer of a race; None of a grid."""
    if is_race(sweep_dir):
        return lambda console: print_answer(sweep_dir, console)
    if not _is_search(sweep_dir):
        return None
    from ddrsa.sweep.search.best import summary_of  # imports Optuna

    try:
        summary = summary_of(sweep_dir)
    except UsageError as error:
        print(printable(f"the best trials are not shown: {error}"), file=sys.stderr)
        return None
    return None if summary is None else summary.print


def _with_those_planned_since(sweep_dir: Path, runs: Sequence[RunView]) -> list[RunView]:
    """All that a search has planned until now, the known ones as they are."""
    known = {run.directory: run for run in runs}
    return [known.get(run.directory, run) for run in planned_runs(sweep_dir)]


def _launcher_lives(sweep_dir: Path) -> bool | None:
    """Whether the process which wrote the manifest still runs; None where that cannot be known."""
    manifest = _manifest(sweep_dir)
    return None if manifest is None else launcher_lives(sweep_dir, manifest)


def _manifest(sweep_dir: Path) -> dict[str, Any] | None:
    try:
        return read_manifest(sweep_dir)
    except (OSError, ValueError) as error:
        raise UsageError(f"{sweep_dir} cannot be watched: {error}") from error


def planned_runs(sweep_dir: Path) -> list[RunView]:
    """The runs that the manifest of the sweep names; without a manifest, those that have a directory.

    Raises UsageError where there is neither, or the manifest is damaged.
    """
    manifest = _manifest(sweep_dir)
    if manifest is None:
        runs = [RunView(str(run.path.relative_to(sweep_dir)), run.path) for run in find_runs(sweep_dir)]
    else:
        planned: list[dict[str, Any]] = manifest["runs"]
        shown = Presentation.of(manifest.get(KEY))
        names = run_names([run["overrides"] for run in planned], shown)
        runs = [
            RunView(
                name or run["directory"],
                sweep_dir / run["directory"],
                shown.kind_of(run["config"]),
                optional=bool(run.get("optional")),
            )
            for name, run in zip(names, planned, strict=True)
        ]
    if not runs:
        raise UsageError(f"{sweep_dir} is no sweep: it has neither {MANIFEST} nor a run directory")
    return runs


def run_names(overrides: Sequence[Sequence[str]], shown: Presentation) -> list[str]:
    """A name for each run, by the overrides that the others do not have."""
    shared = set(overrides[0]).intersection(*overrides) if len(overrides) > 1 else set()
    return [shown.short_name(override for override in own if override not in shared) for own in overrides]


def _look(run: RunView, view: SweepView, display: Display) -> None:
    before = run.state
    if run.follow():
        if run.state.has_ended and (run.state != before or not run.state.is_done):
            display.ended(view, run)
        if run.state.is_done and (seconds := run_seconds(run.directory)) is not None:
            view.durations.add(run.kind, seconds)
    elif run.state is State.RUNNING and run.is_lost:
        run.state, run.reason = State.LOST, "its process is gone, and nothing says how it ended"
        display.ended(view, run)
