"""Claim on a run's directory before its first attempt, after a look at what other processes have done there."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import make_directory, refuse_links, remove_leftovers
from ddrsa.rundir.states import State, is_done_for
from ddrsa.sweep.plan.placement import owner_of, place_beside
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.process.attempt_server import AttemptServer
from ddrsa.sweep.supervise.events import RECORDED, Outcome, Settled, SweepObserver
from ddrsa.sweep.supervise.run_state import SupervisedRun, read_status

log = logging.getLogger(__name__)

# Files of a run that are opened by name in the course of it.
_WRITTEN = ("run.log", "output.log", ".hydra", *(f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")))


class RunClaims:
    """Takes the directories of runs for this sweep, and lets them go.

    root: the directory of the sweep, beneath which no link is followed.
    search: the runs are trials of a search, for which one that a search has pruned is done.
    """

    def __init__(self, server: AttemptServer, observer: SweepObserver, root: Path | None, *, search: bool) -> None:
        self._server = server
        self._observer = observer
        self._root = root
        self._search = search

    def take(self, supervised: SupervisedRun) -> Outcome | None:
        """Claim a run for an attempt. An outcome is that of a run that needs none, which may be claimed all the same.

        Without an outcome and without the claim (`is_claimed`), another process has the run. Raises OSError where the
        directory cannot be made or read.
        """
        if supervised.is_claimed:
            return None
        self._move_from_others(supervised)
        if (outcome := self.settled(supervised)) is not None:
            return outcome
        make_directory(supervised.run.directory, self._root or supervised.run.directory)
        refuse_links(supervised.run.directory, _WRITTEN)
        if not self._server.claim(supervised.run.directory):
            return None
        supervised.is_claimed = True
        if _is_of_another(supervised.run):  # taken and let go by another sweep between the two looks
            self.release(supervised)
            return self.take(supervised)
        # Another launcher may have ended the run after the first look; under Hydra's own, a task may claim none.
        return self.settled(supervised)

    def release(self, supervised: SupervisedRun) -> None:
        """Let a run go, where it is claimed."""
        if supervised.is_claimed:
            self._server.release(supervised.run.directory)
            supervised.is_claimed = False

    def _move_from_others(self, supervised: SupervisedRun) -> None:
        """Where another sweep in the same place has taken the directory since the plan, the run gets one beside it."""
        run = supervised.run
        owners = {}
        while _is_of_another(supervised.run):
            owners[supervised.run.directory] = str(owner_of(supervised.run.directory))
            place = place_beside(run.directory, run.identity, owners)
            if place in owners:
                raise FileExistsError(f"{run.directory} and those beside it hold other runs")
            supervised.run = replace(run, directory=place)
        if supervised.run is not run:
            log.warning(
                "%s holds another run by now: run %d goes to %s", run.directory, run.number, supervised.run.directory
            )
            self._observer.moved(supervised.run)

    def settled(self, supervised: SupervisedRun, status: dict[str, Any] | None = None) -> Outcome | None:
        """The result that the run has already, from before or from another launcher since this one started.

        status: its status.json, as it is now; None to read it.
        """
        status = read_status(supervised.run) if status is None else status
        failed = supervised.attempts == 0 and status.get("state") in (State.FAILED, State.TIMED_OUT)
        by_another = failed and status.get("attempt") != supervised.before
        is_done = is_done_for(status, self._search)
        directory = RunDirectory(supervised.run.directory)
        has_first_result = is_done and directory.has_first_result(status)
        if is_done and not has_first_result and not directory.has_its_result(status):
            message = (
                "%s: test_metrics.json is damaged or missing, the run starts again to write it from its checkpoint"
            )
            if supervised.is_claimed:  # this is looked at twice, and said once
                log.warning(message, supervised.run.directory)
            is_done = False
        if not is_done and not by_another:
            return None
        remove_leftovers(supervised.run.directory, owned=False)  # nobody will claim it again
        found = Settled({key: status.get(key) for key in RECORDED}, has_first_result)
        value, left_out = status.get("return_value"), status.get("return_value_left_out")
        return Outcome(State.of(status), status.get("error"), value, left_out=left_out, settled=found)


def _is_of_another(run: PlannedRun) -> bool:
    return owner_of(run.directory) not in (None, run.identity)
