"""The state of a run as its status.json and its process tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddrsa.rundir import STATES, is_alive, is_lost

# Not a state that a run writes: one of its files cannot be read.
UNREADABLE = "unreadable"

# What needs a look: these runs have no result, and did not mean to end so.
FAILURES = ("failed", "timed_out", "killed", "interrupted", UNREADABLE)

# More of them may come.
UNFINISHED = ("pending", "running")


def shown_state(status: dict[str, Any], directory: Path | None = None) -> tuple[str, str | None]:
    """The state to show and the reason for it, where there is one. No status is `pending`.

    A run that says `running` is `killed` where its process is gone from this very host, and with `directory` (of the
    run) also where that of another host has fallen silent.
    """
    if not status:
        return "pending", None
    state = status.get("state")
    if state not in STATES:
        return UNREADABLE, f"status.json has state {state!r}, allowed are {', '.join(STATES)}"
    if state == "running" and is_alive(status) is False:
        return "killed", f"its process {status.get('pid')} no longer runs on {status['hostname']}"
    if directory is not None and is_lost(directory, status):
        return "killed", f"nothing has been heard of its process on {status.get('hostname')}"
    # The last line of a Python traceback names the error.
    lines = str(status.get("error") or "").strip().splitlines()
    return state, lines[-1].strip() if lines else None
