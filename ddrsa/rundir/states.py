"""States of a run, as its status.json and its process tell them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from ddrsa.rundir.process_identity import is_alive
from ddrsa.rundir.sweep_files import HEARTBEAT, RECORD_LOCK

# The owner of a run touches its file more often than that.
SILENT_SECONDS = 60.0


class State(StrEnum):
    """The state of a run. LOST and UNREADABLE are seen from outside only; the others are written into status.json."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    PRUNED = "pruned"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    KILLED = "killed"
    INTERRUPTED = "interrupted"
    LOST = "lost"  # status.json says that it runs, and its process is gone
    UNREADABLE = "unreadable"  # one of its files is damaged

    @property
    def is_done(self) -> bool:
        """Whether the run has its result, and is not started again."""
        return self in (State.COMPLETED, State.PRUNED)

    @property
    def has_failed(self) -> bool:
        """Whether the run ended without a result, by a fault of its own or of its machine."""
        return self in (State.FAILED, State.TIMED_OUT, State.KILLED)

    @property
    def has_ended(self) -> bool:
        """No process is at it, and none is waited for."""
        return self not in (State.PENDING, State.RUNNING, State.LOST)

    @property
    def needs_a_look(self) -> bool:
        """Whether the run ended without a result, for whatever reason."""
        return self.has_ended and not self.is_done

    @property
    def words(self) -> str:
        """For the eyes of a person: `timed out`."""
        return self.replace("_", " ")

    @classmethod
    @cache
    def written(cls) -> tuple[State, ...]:
        """The states that a status.json may hold."""
        return tuple(state for state in cls if state not in (cls.LOST, cls.UNREADABLE))

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> State:
        """The state in a status.json: PENDING where it names none, UNREADABLE where it makes no sense."""
        state = status.get("state", cls.PENDING)
        return cls(state) if state in cls.written() else cls.UNREADABLE


def is_done_for(status: Mapping[str, Any], search: bool) -> bool:
    """Whether a run with this status.json has its result, for a search or for any other sweep.

    One that was pruned by a search (`trial`) is not done for a sweep that wants it in full.
    """
    state = State.of(status)
    return state is State.COMPLETED or (state is State.PRUNED and (search or status.get("trial") is None))


def owner_file(directory: Path, number: int) -> Path:
    """The file of the `number`-th process, counted from 1, that has claimed the run in `directory`."""
    return directory / f".owner-{number}"


def last_owner(directory: Path) -> int:
    """The highest number of an `owner_file`; 0 where nobody has claimed the run yet."""
    suffixes = (path.name.removeprefix(".owner-") for path in directory.glob(".owner-*"))
    return max((int(suffix) for suffix in suffixes if suffix.isdigit()), default=0)


def is_lost(directory: Path, status: Mapping[str, Any]) -> bool:
    """Whether a status.json of the run in `directory` says `running`, and its process is gone.

    On another host it is taken for gone when it has let the run go, or has been silent for more than a minute, by the
    clock of the file server; who may not write there cannot ask for its time, and takes it for alive.
    """
    if status.get("state") != State.RUNNING:
        return False
    alive = is_alive(status)
    if alive is not None:
        return not alive
    number = last_owner(directory)
    return number > 0 and bool(_is_silent(owner_file(directory, number), directory / ".lock"))


def launcher_lives(sweep_dir: Path, manifest: Mapping[str, Any]) -> bool | None:
    """Whether the launcher that wrote the manifest of `sweep_dir` still runs; None where that cannot be known.

    One on another host counts as gone when nothing has been heard of it for more than a minute, as in `is_lost`.
    """
    alive = is_alive({"started_at": manifest.get("created_at"), **manifest})
    if alive is not None:
        return alive
    silent = _is_silent(sweep_dir / HEARTBEAT, sweep_dir / RECORD_LOCK)
    return None if silent is None else not silent


def _is_silent(heartbeat: Path, lock: Path) -> bool | None:
    """Whether a file has not been touched for more than a minute, by the clock of the file server; None if unknown."""
    try:
        # Touched, the lock has the server's time; nobody reads it from there, as the lock itself is the kernel's.
        os.utime(lock, follow_symlinks=False)
        silent = lock.lstat().st_mtime - heartbeat.lstat().st_mtime
    except (OSError, NotImplementedError):
        return None
    return silent > 1.5 * SILENT_SECONDS


def shown_state(status: Mapping[str, Any], directory: Path | None = None) -> tuple[State, str | None]:
    """The state to show and the reason for it, where there is one. No status is `pending`.

    A run that says `running` is `killed` where its process is gone from this very host, and with `directory` (of the
    run) also where that of another host has fallen silent.
    """
    if not status:
        return State.PENDING, None
    state = State.of(status)
    if state is State.UNREADABLE:
        return state, f"status.json has state {status.get('state')!r}, allowed are {', '.join(State.written())}"
    if state is State.RUNNING and is_alive(status) is False:
        return State.KILLED, f"its process {status.get('pid')} no longer runs on {status['hostname']}"
    if directory is not None and is_lost(directory, status):
        return State.KILLED, f"nothing has been heard of its process on {status.get('hostname')}"
    # The last line of a Python traceback names the error.
    lines = str(status.get("error") or "").strip().splitlines()
    return state, lines[-1].strip() if lines else None
