"""Looks at the directory of a sweep: its runs and their states, whatever launcher and task it is of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddrsa.overrides import override_key
from ddrsa.rundir.directory import RunDirectory, find_runs
from ddrsa.rundir.job_file import JOB_FILE, read_job
from ddrsa.rundir.manifest import read_manifest
from ddrsa.rundir.states import State, shown_state
from ddrsa.rundir.sweep_files import MANIFEST
from ddrsa.rundir.yaml_files import read_yaml
from ddrsa.schema import NOT_IDENTITY
from ddrsa.sweep.presentation import KEY, Presentation

NO_WORD = "nothing says how it ended"


@dataclass
class SeenRun:
    """A run as it was seen last.

    key: the identity of the run, or where it has none its directory's name beneath the sweep. name: what sets it apart
    from others. status: its status.json, or what `jobs` says; empty before it has started. epoch: of status.json.
    """

    key: str
    directory: Path
    name: str
    state: State = State.PENDING
    reason: str | None = None
    status: dict[str, Any] = field(default_factory=dict)
    optional: bool = False

    @property
    def has_started(self) -> bool:
        """Whether there is something to tell of it."""
        return self.state is not State.PENDING


class SweepLook:
    """The runs of the sweep in `directory`; each `look` reads only what has changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.manifest: dict[str, Any] = {}
        self.abandoned = False  # the launcher's process was killed
        self._manifest_time: int | None = None
        self._optional: set[str | None] = set()
        self._short: dict[str, str] = {}  # names of planned runs, by identity
        self._times: dict[Path, tuple[int, ...]] = {}
        self._runs: dict[Path, SeenRun] = {}

    @property
    def planned(self) -> int | None:
        """The number of runs that the launcher has planned; None where it does not say so."""
        runs = self.manifest.get("runs")
        return None if runs is None or self.manifest.get("search") is not None else len(runs)

    def look(self, *, ended: bool = False) -> Sequence[SeenRun]:
        """All runs. ended: no launcher is at them any more, so that one without a word of its end has none."""
        self._read_manifest()
        for found in find_runs(self.directory):
            self._look_at(found)
        if ended:
            for run in self._runs.values():
                if run.state is State.RUNNING and "state" not in run.status:
                    run.state, run.reason = State.KILLED, NO_WORD
        return list(self._runs.values())

    def _read_manifest(self) -> None:
        try:
            changed = (self.directory / MANIFEST).stat().st_mtime_ns
            if changed != self._manifest_time:
                self.manifest, self._manifest_time = read_manifest(self.directory) or {}, changed
                shown = Presentation.of(self.manifest.get(KEY))
                for run in (*self.manifest.get("runs", []), *self.manifest.get("earlier_runs", [])):
                    self._optional |= {run.get("identity")} if run.get("optional") else set()
                    values = (f"{key}={value}" for key, value in run.get("values", {}).items())
                    self._short[str(run.get("identity"))] = shown.short_name(values)
        except (OSError, ValueError):
            return  # without it the runs are known by their directories

    def _look_at(self, found: RunDirectory) -> None:
        run = self._runs.get(found.path)
        times = tuple(map(_time, (found.status, found.path / JOB_FILE)))
        # Whether the process of a running one still lives stands in no file.
        if run is not None and times == self._times[found.path] and run.state is not State.RUNNING:
            return
        self._times[found.path] = times
        try:
            status = found.read_status() or read_job(found.path)
            state, reason = shown_state(status, found.path)
        except (OSError, ValueError) as error:
            status, state, reason = {}, State.UNREADABLE, " ".join(str(error).split())
        if not status and state is State.PENDING and found.config.exists():
            state = State.RUNNING  # of a launcher that writes no status: Hydra has composed it, and nothing says more
        if run is None:
            run = self._runs[found.path] = SeenRun(*self._names(found, status))
        run.status, run.state, run.reason = status, state, reason
        run.optional = run.key in self._optional

    def _names(self, found: RunDirectory, status: dict[str, Any]) -> tuple[str, Path, str]:
        place = found.path.relative_to(self.directory).as_posix()
        key = str(status.get("run_id") or place)
        if short := self._short.get(key):
            return key, found.path, short
        try:
            overrides = read_yaml(found.overrides)
        except (OSError, ValueError):
            overrides = None
        kept = [str(each) for each in overrides or () if override_key(str(each)) not in NOT_IDENTITY]
        return key, found.path, " ".join(kept) or (found.path.name if place == "." else place)


def _time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def sweep_name(directory: Path) -> str:
    """The end of its path: 2026-11-21/10-00-00."""
    return "/".join(directory.absolute().parts[-2:])


def as_line(**content: Any) -> str:
    """A message between the two processes."""
    return json.dumps(content) + "\n"
