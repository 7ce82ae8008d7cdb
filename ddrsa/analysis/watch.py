"""A watch on sweeps: cheap looks at their runs, to see when one has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ddrsa.rundir.directory import RunDirectory, find_runs
from ddrsa.rundir.files import fingerprint
from ddrsa.rundir.states import State, shown_state

# Seconds between two looks, and without a run under way until the sweep counts as ended. A launcher starts the next
# run within a second.
INTERVAL = 2.0
PATIENCE = 30.0


class Watched:
    """The states of the runs beneath some directories. A status.json is read again only when it has changed."""

    def __init__(self, directories: Iterable[Path]) -> None:
        self.directories = list(directories)
        self._seen: dict[Path, tuple[tuple[int, int, int], State]] = {}

    def look(self) -> tuple[dict[Path, State], bool]:
        """The state of each run that has ended, by its directory, and whether one is under way."""
        states = {run.path: self._state(run) for path in self.directories for run in find_runs(path)}
        ended = {path: state for path, state in states.items() if state.has_ended}
        return ended, State.RUNNING in states.values()

    def _state(self, run: RunDirectory) -> State:
        try:
            changed = fingerprint(run.status)
            seen = self._seen.get(run.path)
            # Whether the process of a running one still lives stands in no file.
            if seen is not None and seen[0] == changed and seen[1].has_ended:
                return seen[1]
            state, _ = shown_state(run.read_status() or {}, run.path)
        except FileNotFoundError:
            return State.PENDING
        except (OSError, ValueError):
            return State.UNREADABLE
        self._seen[run.path] = changed, state
        return state


def watch(
    directories: Iterable[Path],
    renew: Callable[[], object],
    *,
    interval: float = INTERVAL,
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Call `renew` now, and again whenever a run has ended, until none has been under way for `patience` seconds."""
    watched = Watched(directories)
    ended, _ = watched.look()
    renew()
    quiet = 0.0
    while quiet < patience:
        sleep(interval)
        now_ended, running = watched.look()
        quiet = 0.0 if running else quiet + interval
        if now_ended != ended:
            ended, quiet = now_ended, 0.0
            renew()
