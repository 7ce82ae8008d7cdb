"""The outcome of an attempt whose process has ended."""

from __future__ import annotations

import logging
import signal
import time
from functools import cache
from typing import Any

from ddrsa.rundir.reasons import kernel_memory_kills, reason_of_exit
from ddrsa.rundir.states import State
from ddrsa.sweep.process.attempt_server import Ended
from ddrsa.sweep.process.server import SECONDS_TO_EXIT
from ddrsa.sweep.supervise.events import Outcome
from ddrsa.sweep.supervise.run_state import AttemptUnderWay, UnwrittenStates

log = logging.getLogger(__name__)


def outcome_of(active: AttemptUnderWay, ended: Ended, unwritten: UnwrittenStates) -> Outcome:
    """The outcome, by the attempt's report, by what was decided of it, or by how its process exited.

    unwritten: takes what the attempt's process has not written itself.
    """
    report = ended.report
    known: dict[str, Any] = {"attempts": active.supervised.attempts, "seconds": time.monotonic() - active.began}
    if report is not None and ended.exit_code == -signal.SIGALRM:
        _say_that_it_hung_at_its_exit()
    if report is not None and (active.state is None or report.state.is_done):
        fields, text = report.unwritten or ({}, "")
        if report.unwritten or not report.state.is_done:
            text = text or ("" if report.state.is_done else f"the attempt ended: {report.reason}")
            unwritten.add(active, {"state": report.state, "error": report.reason, **fields}, text)
        return Outcome(report.state, report.reason, report.value, error=report.error, **known)
    if active.state is not None:
        state, reason = active.state, active.reason
        if active.supervised.reasons:  # of a retry that was ended, why there was one
            reason = f"{reason}; its first attempt failed: {active.supervised.reasons[0]}"
    else:
        state = State.KILLED if ended.exit_code < 0 else State.FAILED
        reason = reason_of_exit(ended.exit_code, kernel_memory_kills() > active.memory_kills)
    unwritten.add(active, {"state": state, "error": reason}, f"the attempt ended: {reason}")
    return Outcome(state, reason, **known)


@cache  # the runs of a sweep are alike
def _say_that_it_hung_at_its_exit() -> None:
    log.warning(
        "a run has ended, but not its process within %g s: an exit handler (atexit) of a module that was imported "
        "before the process was forked waits for something, perhaps a thread of the process before; it is cut off, "
        "in each run",
        SECONDS_TO_EXIT,
    )
