"""The state of a run as its status.json and its process tell it."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Any

import psutil

from ddrsa.rundir import STATES

# Not a state that a run writes: one of its files cannot be read.
UNREADABLE = "unreadable"


def shown_state(status: dict[str, Any]) -> tuple[str, str | None]:
    """The state to show and the reason for it, where there is one. No status is `pending`.

    A run that says `running` is `killed` where its process is gone from this very host.
    """
    if not status:
        return "pending", None
    state = status.get("state")
    if state not in STATES:
        return UNREADABLE, f"status.json has state {state!r}, allowed are {', '.join(STATES)}"
    if state == "running" and status.get("hostname") == socket.gethostname() and not _is_alive(status):
        return "killed", f"its process {status.get('pid')} no longer runs on {status['hostname']}"
    # The last line of a Python traceback names the error.
    lines = str(status.get("error") or "").strip().splitlines()
    return state, lines[-1].strip() if lines else None


def _is_alive(status: dict[str, Any]) -> bool:
    try:
        process = psutil.Process(int(status["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        born = process.create_time()
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, KeyError, TypeError, ValueError):
        # Not knowing is no proof that the run is dead.
        return True
    # A process that is younger than the run has only inherited its number. The file counts in whole seconds.
    started = _timestamp(status.get("started_at"))
    return started is None or born <= started + 2


def _timestamp(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
