"""How far a sweep is: counts, time, what goes on, what is to be said of it."""

from __future__ import annotations

import math
import shlex
import socket
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ddrsa.live.sweep import NOTHING_SAYS, LiveSweep
from ddrsa.rundir.race_record import is_race
from ddrsa.rundir.states import State, launcher_lives
from ddrsa.started import COMMAND
from ddrsa.sweep.show.display import SweepView
from ddrsa.sweep.show.estimate import shown_duration
from ddrsa.sweep.show.run_view import RunView, timestamp
from ddrsa.texts import count_of, printable

# In the order in which they are counted on the page.
_ORDER = (
    *(State.RUNNING, State.COMPLETED, State.PRUNED, State.FAILED, State.TIMED_OUT, State.KILLED, State.LOST),
    *(State.INTERRUPTED, State.UNREADABLE, State.PENDING),
)


def progress_of(sweep: LiveSweep) -> dict[str, Any]:
    """The state of the sweep for the page. Called with its lock held."""
    views = [run.view for run in sweep.runs]
    manifest = sweep.plan.manifest
    to_come = _trials_to_come(sweep)
    view = SweepView([*views, *to_come], 1, sweep.durations)
    view.n_jobs = max(len(view.active), 1)
    counted = Counter(run.view.state for run in sweep.runs if run.read)
    alive = None if manifest is None else launcher_lives(sweep.directory, manifest)
    open_runs = len(views) - view.ended
    grows = manifest is not None and (manifest.get("search") is not None or is_race(sweep.directory))
    goes_on = bool(view.active) or (alive is True and (open_runs > 0 or grows))
    unknown = not goes_on and alive is None and manifest is not None and open_runs > 0
    unknown = unknown and not counted[State.INTERRUPTED]
    unknown = unknown or (not goes_on and any(run.view.reason == NOTHING_SAYS for run in sweep.runs))
    rest = view.rest() if goes_on and not sweep.unread and not is_race(sweep.directory) else None
    return {
        "state": "unknown" if unknown and not sweep.unread else _state(sweep, goes_on, bool(open_runs or to_come)),
        "ended": view.ended,
        "planned": len(views) + len(to_come),
        "counts": [[str(state), counted[state]] for state in _ORDER if counted[state]],
        "unread": sweep.unread,
        "rest": rest,
        "spent": _spent(sweep, goes_on),
        "notes": [printable(note) for note in _notes(sweep, goes_on, open_runs, alive, unknown=unknown)],
        "command": None if manifest is None else _command(manifest),
    }


def _state(sweep: LiveSweep, goes_on: bool, is_open: bool) -> str:
    if sweep.unread:
        return "reading"  # of runs that were not read yet nothing is known
    return "running" if goes_on else "stopped" if is_open else "ended"


def _trials_to_come(sweep: LiveSweep) -> list[RunView]:
    """Runs that a search has not planned yet, as many as its trials so far had."""
    manifest = sweep.plan.manifest or {}
    wanted = (manifest.get("search") or {}).get("n_trials")
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        return []
    trials = {run.view.status.get("trial") for run in sweep.runs} - {None}
    planned = sum(run.view.status.get("trial") is None for run in sweep.runs)
    for_each = max(round((len(sweep.runs) - planned) / max(len(trials), 1)), 1)
    left = max(wanted - len(trials) - math.ceil(planned / for_each), 0)
    return [RunView("", Path()) for _ in range(min(left, 100_000) * for_each)]


def _spent(sweep: LiveSweep, goes_on: bool) -> str | None:
    """The time since the launcher started, until the last run ended."""
    began = timestamp((sweep.plan.manifest or {}).get("created_at"))
    if began is None:
        return None
    ends = (timestamp(run.view.status.get("ended_at")) for run in sweep.runs)
    if goes_on and _is_here(sweep.plan.manifest or {}):
        return shown_duration(max(time.time() - began, 0.0))
    # The clock of another machine may be ahead, or behind: its own last word is by the same as the beginning.
    words = (timestamp(run.view.status.get("updated_at")) for run in sweep.runs if goes_on)
    until = max((each for each in (*ends, *words) if each is not None), default=began)
    return shown_duration(max(until - began, 0.0))


def _notes(sweep: LiveSweep, goes_on: bool, open_runs: int, alive: bool | None, *, unknown: bool) -> list[str]:
    plan, notes = sweep.plan, []
    host = (plan.manifest or {}).get("hostname")
    if plan.problem is not None:
        notes.append(f"{plan.problem}. The runs are those that have a directory.")
    if plan.left_out:
        more = f", and {len(plan.left_out) - 1} more like it" if len(plan.left_out) > 1 else ""
        notes.append(f"Not shown, as the manifest leads elsewhere: {plan.left_out[0]}{more}.")
    earlier = len((plan.manifest or {}).get("earlier_runs") or [])
    if earlier:
        notes.append(
            f"Runs of earlier commands in this directory are not in the table ({earlier}): the answer and the plots "
            "have those that are done."
        )
    if plan.manifest is not None and not goes_on and open_runs and alive is False and not sweep.unread:
        go_on = shlex.join([COMMAND, "resume", str(sweep.directory)])
        unheard = f"Nothing has been heard of the launcher on {host} for more than a minute"
        gone = "The launcher has gone" if _is_here(plan.manifest) else unheard
        notes.append(f"{gone}, and {count_of(open_runs, 'run has', 'runs have')} not ended. To go on: {go_on}")
    if unknown and plan.manifest is not None and not sweep.unread:
        notes.append(
            f"No run is under way. The launcher was started on {host}, whose processes are not seen from here: nothing "
            "tells whether it still runs."
        )
    silent = sum(run.view.reason == NOTHING_SAYS for run in sweep.runs)
    if silent:
        notes.append(f"Of {count_of(silent, 'run')} nothing tells what it does, or how it ended: no status is written.")
    unread = [run for run in sweep.runs if run.notes]
    if unread:
        notes.append(f"Results that cannot be read: {unread[0].notes[0]} ({count_of(len(unread), 'such run')} in all).")
    return notes


def _is_here(manifest: Mapping[str, Any]) -> bool:
    """Whether the launcher is one of this machine, by whose clock it goes."""
    return manifest.get("hostname") == socket.gethostname()


def _command(manifest: dict[str, Any]) -> dict[str, Any]:
    words = [str(word) for word in manifest.get("command") or []]
    git = manifest.get("git") or {}
    return {
        "words": printable(shlex.join(words)) or None,
        "hostname": printable(manifest.get("hostname") or "") or None,
        "started": manifest.get("created_at"),
        "commit": printable(git.get("commit") or "")[:12] or None,
    }


def now() -> str:
    """The time of the server."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
