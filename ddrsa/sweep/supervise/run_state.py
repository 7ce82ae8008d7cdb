"""A run's supervisor-side state, and the final status of an attempt that died without writing its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory, seconds_until
from ddrsa.rundir.files import now, write_json
from ddrsa.rundir.process_identity import seconds_since_boot
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import say_in_log
from ddrsa.sweep.process.attempt_server import AttemptServer

log = logging.getLogger(__name__)


@dataclass
class SupervisedRun:
    """A run, with the results of its attempts so far.

    before: the attempts that its status.json had when it was submitted.
    """

    run: PlannedRun
    before: int | None = None
    attempts: int = 0
    is_claimed: bool = False  # by the server, for this supervisor
    is_elsewhere: bool = False  # another process works on it, and that has been logged
    gpus_to_avoid: list[int] = field(default_factory=list)
    whole_gpu: bool = False  # since it ran out of the memory of one that it shared
    reasons: list[str] = field(default_factory=list)  # of the attempts that failed
    lacked_room: int = 0  # attempts that failed because the disk was full


@dataclass
class AttemptUnderWay:
    """An attempt under way.

    has_begun: false while it is in the queue of a scheduler.
    before: the number of attempts that the run's status.json had before this one.
    """

    supervised: SupervisedRun
    began: float
    memory_kills: int
    before: int | None = None
    has_begun: bool = False
    state: State | None = None  # the final state, once this process has decided to end the attempt
    reason: str | None = None
    kill_at: float | None = None


class UnwrittenStates:
    """What the processes of the runs could not write; on a full disk it waits until there is room again."""

    def __init__(self, server: AttemptServer) -> None:
        """server: of the attempts; it knows what they may have written."""
        self._server = server
        self._states: dict[Path, tuple[AttemptUnderWay, dict[str, Any], float]] = {}
        self._texts: dict[Path, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._states or self._texts)

    def add(self, active: AttemptUnderWay, fields: dict[str, Any], text: str) -> None:
        """Write the end of an attempt now if that is possible, and else with a later `write`.

        fields: for status.json, where the attempt has not written its end itself. text: for its log, with them.
        """
        directory = active.supervised.run.directory
        self._states[directory] = (active, {"ended_at": now(), **fields}, seconds_since_boot())
        if text:
            self._texts.setdefault(directory, []).append(text)
        self.write()

    @property
    def place(self) -> Path:
        """The directory of one of the runs."""
        return next(iter([*self._states, *self._texts]))

    def another_attempt(self, run: PlannedRun) -> None:
        """The run is tried again: its status is the new attempt's."""
        self._states.pop(run.directory, None)

    def write(self) -> None:
        """Write to status.json and the log; but not where the attempt has written its end itself."""
        for directory, (active, fields, clock) in list(self._states.items()):
            run = active.supervised.run
            status = read_status(run)
            # It may have died, or found the disk full, before it could write that it is under way.
            never_began = status.get("attempt") == active.before
            try:
                if never_began or status.get("state") == State.RUNNING or self._server.wrote(status):
                    # What it has written last is of when it was still under way.
                    seconds = {} if never_began else seconds_until(status, clock)
                    whole = {**status, "run_id": run.identity, **seconds, **fields}
                    write_json(RunDirectory(directory).status, whole)
                else:
                    self._texts.pop(directory, None)
            except OSError as error:
                log.debug("the state of %s cannot be written yet: %s", directory, error)
                continue
            del self._states[directory]
        for directory, texts in list(self._texts.items()):
            if directory in self._states:
                continue
            try:
                while texts:
                    say_in_log(RunDirectory(directory).log, "ERROR", texts[0])
                    del texts[0]
            except OSError as error:
                log.debug("the log of %s cannot be written yet: %s", directory, error)
                continue
            del self._texts[directory]


def read_status(run: PlannedRun) -> dict[str, Any]:
    """The status.json of `run`; empty where there is none, where it is damaged, or where it is another run's."""
    return RunDirectory(run.directory).status_or_empty(run.identity, warn=True)
