"""`asked_to_end`: how a task hears that its sweep has run out of time, and ends with what it has."""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig

from ddrsa.rundir.asked import why_asked
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State

ENDS_WHEN_ASKED = "ends_when_asked"  # in status.json of a run that looks for the wish

_told: tuple[str, str] | None = None  # the directory of the run, and why


def asked_to_end() -> str | None:
    """Why this run shall end now, in words: the deadline or the budget of its sweep; None where it may go on.

    A task calls it once at its start, so that the launcher knows that it can be asked, and after each epoch: `if
    asked_to_end(): break`. Then it saves a checkpoint and returns with what it has. A run that has been told ends as
    `interrupted`, whatever it returns, and the same command later goes on with it. Who never calls it is ended by a
    signal, as by a timeout. Outside of such a sweep it does nothing, so it can always be called.
    """
    global _told
    if not HydraConfig.initialized() or HydraConfig.get().runtime.output_dir is None:
        return None
    run = RunDirectory(HydraConfig.get().runtime.output_dir)
    status = run.status_or_empty()
    if State.of(status) is not State.RUNNING:
        return None
    if not status.get(ENDS_WHEN_ASKED):
        run.update(**{ENDS_WHEN_ASKED: True})
    reason = why_asked(run.path, status.get("attempt"))
    if reason is not None:
        _told = (str(run.path), reason)
    return reason


def was_told(directory: object) -> str | None:
    """Why the run in `directory` was asked to end, where its task, in this process, has heard of it."""
    return _told[1] if _told is not None and _told[0] == str(directory) else None
