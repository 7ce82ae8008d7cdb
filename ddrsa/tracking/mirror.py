"""Mirror of a sweep at one tracker: what the run directories say, and the tracker has not been told, is told it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddrsa.follow.look import SeenRun, SweepLook, sweep_name
from ddrsa.follow.series import Row, Series, SeriesReader
from ddrsa.rundir.states import State
from ddrsa.tracking.base import Described, Point, Tracker
from ddrsa.tracking.facts import (
    began_at,
    ended_at,
    run_facts,
    run_files,
    state_of_sweep,
    sweep_files,
    sweep_tags,
)
from ddrsa.tracking.ledger import Entry, Ledger

# So many points are sent at a time.
MOST_POINTS = 1000


@dataclass(frozen=True)
class MirrorOptions:
    """What is sent. artifacts: files of the runs that have ended; checkpoints: the best weights too. tags: added."""

    artifacts: bool = True
    checkpoints: bool = False
    tags: dict[str, str] = field(default_factory=dict)


class Mirror:
    """Tells `tracker` of the sweep; what is told stands in the ledger, also where it ends in the middle."""

    def __init__(self, tracker: Tracker, ledger: Ledger, options: MirrorOptions, say: Callable[[str], None]) -> None:
        self._tracker = tracker
        self._ledger = ledger
        self._options = options
        self._say = say
        self._readers: dict[Path, SeriesReader] = {}
        self._said: set[str] = set()
        self._next_sign = 0.0
        self._opened: set[str] = set()  # in this process: a tracker may have to open what it has

    def tell(self, look: SweepLook, runs: Sequence[SeenRun], *, ended: bool) -> None:
        """Tell all that is new. Raises whatever the tracker raises; the next call goes on where it was."""
        started = [run for run in runs if run.has_started]
        if not started:
            return
        try:
            single = any(run.directory == look.directory for run in started)
            parent = None if single else self._tell_of_sweep(look, started)
            for run in started:
                self._tell_of_run(run, look, parent)
                self._progress()
            if parent is not None:
                self._end_sweep(parent, look, list(runs), ended)
        finally:
            self._ledger.write()

    def _tell_of_sweep(self, look: SweepLook, runs: Sequence[SeenRun]) -> str:
        entry = self._ledger.sweep
        if entry is not None and "sweep" in self._opened:
            return entry.id
        began = entry.began if entry else min(began_at(run.status, run.directory.stat().st_mtime) for run in runs)
        described = Described(
            self._ledger.uid,
            sweep_name(look.directory),
            began,
            {},
            sweep_tags(look) | self._options.tags,
            is_sweep=True,
        )
        found = self._tracker.open(described, entry.id if entry else None)
        if entry is None or found != entry.id:
            # Of another one with this name, say a server that was set up anew, nothing is known.
            self._ledger.sweep = Entry(found, began)
            self._ledger.runs.clear()
        self._opened.add("sweep")
        self._ledger.write()
        return found

    def _end_sweep(self, parent: str, look: SweepLook, runs: list[SeenRun], ended: bool) -> None:
        entry = self._ledger.sweep
        assert entry is not None
        if ended and self._options.artifacts:
            self._tell_files(entry, sweep_files(look.directory))
        state = state_of_sweep(runs, look.planned, ended)
        if state != entry.state:
            times = [time for run in runs if (time := ended_at(run)) is not None]
            self._tracker.state(parent, state, None, max(times, default=None) if ended else None)
            entry.state = state

    def _tell_of_run(self, run: SeenRun, look: SweepLook, parent: str | None) -> None:
        entry = self._ledger.runs.get(run.key)
        attempt = int(run.status.get("attempt") or 1)
        if entry is not None and entry.finished and (entry.state, entry.attempt) == (run.state, attempt):
            return  # all of it has been told
        reader = self._readers.setdefault(run.directory, SeriesReader(run.directory))
        series = reader.read()
        generation = 0 if entry is None else entry.generation + any(_began_anew(entry, each) for each in series)
        if entry is None or generation > entry.generation or run.key not in self._opened:
            entry = self._open(run, look, parent, entry, generation)
        self._tell_series(entry, series)
        for note in reader.notes:
            self._once(note)
        if run.state.has_ended:
            facts = run_facts(run, look, self._options.tags)
            if facts.hash != entry.result:
                self._tracker.summary(entry.id, facts.metrics, facts.tags, max(entry.steps.values(), default=0))
                entry.result = facts.hash
            if self._options.artifacts:
                self._tell_files(entry, run_files(run, self._options.checkpoints and run.state.is_done))
        if (entry.state, entry.attempt) != (run.state, attempt) or run.state.has_ended:
            self._tracker.state(entry.id, run.state, run.reason, ended_at(run) if run.state.has_ended else None)
        entry.state, entry.attempt, entry.finished = run.state, attempt, run.state.has_ended
        if entry.finished:
            self._readers.pop(run.directory, None)

    def _open(self, run: SeenRun, look: SweepLook, parent: str | None, entry: Entry | None, generation: int) -> Entry:
        facts = run_facts(run, look, self._options.tags)
        key = f"{self._ledger.uid}/{run.key}" + (f"#{generation}" if generation else "")
        if entry is not None and generation > entry.generation:
            self._tracker.state(entry.id, State.KILLED, "the run has begun anew, with other data", None)
            entry = None
        if entry is not None and not entry.finished and not self._tracker.durable:
            entry = None  # all of it is told again
        began = entry.began if entry else began_at(run.status, run.directory.stat().st_mtime)
        described = Described(key, run.name, began, facts.params, facts.tags, parent)
        found = self._tracker.open(described, entry.id if entry else None)
        if entry is None or found != entry.id:
            entry = Entry(found, began, generation)
        self._ledger.runs[run.key] = entry
        self._opened.add(run.key)
        self._ledger.write(soon=True)
        return entry

    def _tell_series(self, entry: Entry, several: Sequence[Series]) -> None:
        for series in several:
            if series.events and self._tracker.name == "tensorboard":
                continue  # it reads them itself
            prefix = "epoch" if len(several) == 1 else series.name.rpartition(".")[0] if not series.events else "epoch"
            new = [row for row in series.rows if row.step > entry.steps.get(series.name, -1)]
            points = [point for row in new for point in _points(row, prefix, entry.began)]
            for start in range(0, len(points), MOST_POINTS):
                self._tracker.points(entry.id, points[start : start + MOST_POINTS])
            if new:
                entry.steps[series.name] = new[-1].step
                entry.last[series.name] = _hash(new[-1])

    def _tell_files(self, entry: Entry, files: Sequence[tuple[Path, str]]) -> None:
        new = [(path, folder) for path, folder in files if entry.files.get(_name(path, folder)) != _time(path)]
        if not new:
            return
        for name in self._tracker.files(entry.id, new):
            self._once(f"{self._tracker.name} has no place for {name}")
        entry.files |= {_name(path, folder): _time(path) for path, folder in new}

    def _progress(self) -> None:
        """Let whoever waits know that the tracker takes what it is told."""
        if time.monotonic() >= self._next_sign:
            self._next_sign = time.monotonic() + 1
            self._say("")

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def _began_anew(entry: Entry, series: Series) -> bool:
    """Whether the epoch that was told last is another now: the run was begun anew, with other data."""
    known = entry.last.get(series.name)
    row = next((row for row in series.rows if row.step == entry.steps.get(series.name)), None)
    return known is not None and row is not None and _hash(row) != known


def _hash(row: Row) -> str:
    values = {name: value for name, value in row.values.items() if name != "seconds"}
    return hashlib.sha256(json.dumps([row.step, values], sort_keys=True).encode()).hexdigest()[:16]


def _points(row: Row, prefix: str, began: int) -> list[Point]:
    if row.absolute and row.seconds is not None:
        at = int(1000 * row.seconds)
    else:
        at = began + (row.step if row.seconds is None else round(1000 * row.seconds))
    return [Point(f"{prefix}/{name}", value, row.step, at) for name, value in row.values.items()]


def _name(path: Path, folder: str) -> str:
    return f"{folder}/{path.name}" if folder else path.name


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns
