"""A sweep that is looked at again and again: each look reads only what has changed, and not for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddrsa.live.cells import Columns, cells_of, read_metrics, seconds_taken
from ddrsa.live.inside import has_links
from ddrsa.live.plan import Plan, read_plan
from ddrsa.rundir.files import fingerprint
from ddrsa.rundir.job_file import read_job
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import MANIFEST
from ddrsa.sweep.show.estimate import Durations
from ddrsa.sweep.show.run_view import RunView

# The runs change no faster than that, and looking at thousands takes no more than a twentieth of the time.
LOOK_SECONDS = 2.0
SHARE = 20
# A look at a sweep that was not read yet ends after so long; the next goes on.
BUDGET_SECONDS = 0.5
# Runs that are done may be done again by another command: so many of them are looked at each time.
DONE_AT_ONCE = 250

NOTHING_SAYS = "its launcher writes no status: nothing says whether it runs or how it ended"


@dataclass(frozen=True)
class Ends:
    """Runs that are done, their attempts, and runs that went wrong: where these are the same, so is the answer."""

    done: int
    failed: int
    attempts: int


@dataclass
class LiveRun:
    """A run of the table. cells: by column. version: that of the sweep when they changed. read: whether it was read."""

    view: RunView
    values: dict[str, str]
    cells: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    version: int = 0
    read: bool = False


class LiveSweep:
    """The runs of the sweep in `directory`, as its files have them.

    version: grows with each change. generation: grows when rows are others than before, not only more.
    lock: held by whoever looks or reads.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = threading.Lock()
        self.version = 0
        self.generation = 0
        self.runs: list[LiveRun] = []
        self.plan = Plan([], [])
        self.columns = Columns()
        self.durations = Durations()
        self.cost = 0.0  # of the last look, in seconds
        self._next = 0.0
        self._manifest: tuple[int, int, int] | bool | None = False  # False: not looked for yet
        self._turn = 0

    @property
    def unread(self) -> int:
        """The number of runs that were not read yet."""
        return sum(not run.read for run in self.runs)

    def look(self) -> None:
        """Bring all up to date, unless that was done a moment ago. Called with the lock held."""
        if time.monotonic() < self._next:
            return
        began = time.monotonic()
        self.version += 1
        self._read_plan()
        deadline = began + BUDGET_SECONDS
        for run in self._due():
            if not run.read and time.monotonic() > deadline:
                break
            self._look_at(run)
        self.cost = time.monotonic() - began
        self._next = time.monotonic() + (0.0 if self.unread else max(LOOK_SECONDS, SHARE * self.cost))

    def _read_plan(self) -> None:
        stamp = _stamp(self.directory / MANIFEST)
        if stamp is not None and stamp == self._manifest:
            return
        self._manifest = stamp
        by_path = {run.view.directory: run for run in self.runs}
        known = {path: run.view for path, run in by_path.items()}
        self.plan = read_plan(self.directory, known, {path: run.values for path, run in by_path.items()})
        runs = []
        for view, values in zip(self.plan.views, self.plan.values, strict=True):
            run = by_path.get(view.directory) or LiveRun(view, values)
            if run.values != values:  # more runs were planned, and so more keys tell them apart
                run.values, run.read = values, False
            runs.append(run)
        if [run.view.directory for run in runs[: len(self.runs)]] != [run.view.directory for run in self.runs]:
            self.generation += 1
        self.runs = runs

    def _due(self) -> Iterator[LiveRun]:
        """The runs to look at now: first those not read yet, then those that go on, then some that are done."""
        going = [run for run in self.runs if run.read and not run.view.state.is_done]
        done = [run for run in self.runs if run.read and run.view.state.is_done]
        first = self._turn if self._turn < len(done) else 0
        self._turn = first + DONE_AT_ONCE
        yield from [run for run in self.runs if not run.read]
        yield from going
        yield from done[first : first + DONE_AT_ONCE]

    def _look_at(self, run: LiveRun) -> None:
        view = run.view
        if not run.read and has_links(self.directory, view.directory):
            view.state, view.reason = State.UNREADABLE, "it lies behind a link, which is not followed"
            changed = True
        elif view.state is State.UNREADABLE and view.read is None and run.read and view.damage is None:
            return
        else:
            changed = self._follow(run)
        if changed and view.state.is_done:
            run.metrics, run.notes = read_metrics(view, foreign=self.plan.foreign)
            if (seconds := seconds_taken(view, run.metrics)) is not None:
                self.durations.add(view.kind, seconds)
        elif changed:
            run.metrics, run.notes = {}, []
        if changed or not run.read or view.state is State.RUNNING:
            cells = cells_of(view, run.values, run.metrics, self.plan.shown)
            if self.columns.add(cells):
                self.generation += 1
            if cells != run.cells or not run.read:
                run.cells, run.version = cells, self.version
        run.read = True

    def _follow(self, run: LiveRun) -> bool:
        """Whether the state of the run is another than before, or its file was read anew."""
        view = run.view
        try:
            changed = view.follow()
            if not changed and view.state is State.RUNNING and view.read is not None and view.is_lost:
                view.state, view.reason = State.LOST, "its process is gone, and nothing says how it ended"
                return True
            if self.plan.manifest is None and view.read is None and view.damage is None:
                return self._follow_job(view)
        except (OSError, ValueError, TypeError) as error:
            view.state, view.reason = State.UNREADABLE, " ".join(str(error).split())
            return True
        return changed

    def _follow_job(self, view: RunView) -> bool:
        """Of a launcher that writes no status.json: what its callback noted, or what its files say."""
        before = (view.state, view.reason)
        job = read_job(view.directory)
        if job:
            view.status, view.state, view.reason = job, State.of(job), job.get("error")
            if view.is_lost:
                view.state, view.reason = State.LOST, "its process is gone, and nothing says how it ended"
        elif read_metrics(view, foreign=True)[0]:
            view.state, view.reason = State.COMPLETED, None
        else:
            view.state, view.reason = State.PENDING, NOTHING_SAYS
        return (view.state, view.reason) != before

    def ends(self) -> Ends:
        """The ends of the runs so far."""
        views = [run.view for run in self.runs]
        done = [view.attempt for view in views if view.state.is_done]
        return Ends(len(done), sum(view.state.needs_a_look for view in views), sum(done))

    def changed_since(self, version: int) -> list[list[Any]]:
        """The rows that were read or changed after `version`: number, and the cells that the table has."""
        kept = {"reason", *(column["key"] for column in self.columns.listed(self.plan.shown))}
        return [
            [number, {key: cell for key, cell in run.cells.items() if key in kept}]
            for number, run in enumerate(self.runs)
            if run.read and run.version > version
        ]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        return fingerprint(path)
    except OSError:
        return None
