"""What a supervisor remembers of a run, and writes to its status.json where the run's own process could not."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddrsa.rundir.claims import Claim
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import now, write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt import say_in_log

log = logging.getLogger(__name__)


@dataclass
class SupervisedRun:
    """A run, with what its attempts have come to so far."""

    run: PlannedRun
    attempts: int = 0
    began: float = 0.0
    claim: Claim | None = None
    is_elsewhere: bool = False  # another process works on it, and that has been logged
    gpus_to_avoid: list[int] = field(default_factory=list)
    whole_gpu: bool = False  # since it ran out of the memory of one that it shared
    waited: float = 0.0  # seconds for a GPU, which do not count for the timeout
    timeout: float | None = None  # seconds


@dataclass
class AttemptUnderWay:
    """An attempt under way."""

    task: SupervisedRun
    began: float
    memory_kills: int
    state: State | None = None  # the final state, once this process has decided to end the attempt
    reason: str | None = None
    kill_at: float | None = None


class UnwrittenStates:
    """The states of runs whose processes did not write them; on a full disk they wait until there is room again."""

    def __init__(self, is_ours_to_write: Callable[[dict[str, Any]], bool]) -> None:
        """is_ours_to_write: told of the status.json that is there."""
        self._is_ours_to_write = is_ours_to_write
        self._waiting: dict[Path, tuple[PlannedRun, State, str | None]] = {}

    def add(self, run: PlannedRun, state: State, reason: str | None) -> None:
        """Write the state now if that is possible, and else with a later `write`."""
        self._waiting[run.directory] = (run, state, reason)
        self.write()

    def write(self) -> None:
        """Write what is to be written to status.json and the log."""
        for directory, (run, state, reason) in list(self._waiting.items()):
            status = read_status(run)
            try:
                if self._is_ours_to_write(status):
                    write_json(
                        RunDirectory(directory).status,
                        {**status, "run_id": run.identity, "state": state, "error": reason, "ended_at": now()},
                    )
                    say_in_log(RunDirectory(directory).log, "ERROR", f"the attempt ended: {reason}")
            except OSError as error:
                log.debug("the state of %s cannot be written yet: %s", directory, error)
                continue
            del self._waiting[directory]


def read_status(run: PlannedRun) -> dict[str, Any]:
    """The status.json of `run`; empty where there is none, where it is damaged, or where it is another run's."""
    return RunDirectory(run.directory).status_or_empty(run.identity, warn=True)
