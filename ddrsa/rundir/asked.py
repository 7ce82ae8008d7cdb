"""The wish that a run ends early with what it has: a file in its directory, which it looks for after each epoch."""

from __future__ import annotations

from pathlib import Path

from ddrsa.rundir.files import read_json, write_json

_FILE = ".end-asked.json"


def ask_to_end(directory: Path, attempt: int, reason: str) -> None:
    """Ask the run in `directory` to end after what it is at, in this attempt. Raises OSError where that fails."""
    write_json(directory / _FILE, {"attempt": attempt, "reason": reason}, durable=False)


def why_asked(directory: Path, attempt: object) -> str | None:
    """Why the run is asked to end, in words; None where it is not, in this attempt."""
    if not (directory / _FILE).exists():
        return None
    try:
        content = read_json(directory / _FILE) or {}
    except (OSError, ValueError):
        return None
    return str(content.get("reason"))[:500] if content.get("attempt") == attempt else None
