"""Ledger of a tracker in the sweep's directory: what it has been told, so that nothing is told twice, or forgotten."""

from __future__ import annotations

import contextlib
import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ddrsa.errors import UsageError
from ddrsa.rundir.files import make_directory, open_no_links, read_json, read_text, refuse_links, write_json
from ddrsa.rundir.structure import Fields, MapTo, check_structure

FOLDER = ".tracking"
# Between two writes while runs are opened: of many runs it is long. What is lost is found at the tracker by its key.
PAUSE_SECONDS = 5.0
_ENTRY = Fields(
    {
        "id!": str,
        "began": int,
        "generation": int,
        "steps": MapTo(int),
        "last": MapTo(str),
        "state": (str, None),
        "attempt": int,
        "result": (str, None),
        "files": MapTo(int),
        "finished": bool,
    }
)
_PLACE = Fields({"sweep": (dict, None), "runs": dict})
_LEDGER = Fields({"options": dict, "places": MapTo(_PLACE)})


class BusyError(UsageError):
    """Another process tells the tracker of this sweep."""


@dataclass
class Entry:
    """What a tracker has been told of a run.

    id: the tracker's. began: see `Described`. generation: how often the run has begun anew, with other data. steps,
    last: by series, the last step and a hash of its values. result: a hash of the metrics. files: their times.
    finished: whether the tracker has been told all, and has it.
    """

    id: str
    began: int
    generation: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    state: str | None = None
    attempt: int = 0
    result: str | None = None
    files: dict[str, int] = field(default_factory=dict)
    finished: bool = False


class Ledger:
    """The ledger of one tracker at one place; use it in `opened`."""

    def __init__(self, path: Path, place: str, content: dict[str, Any]) -> None:
        self.path = path
        self.uid = _uid(path.parent)
        self.options: dict[str, Any] = content.setdefault("options", {})
        self._content = content
        here = content.setdefault("places", {}).setdefault(place, {})
        self.sweep: Entry | None = _entry(here.get("sweep"))
        self.runs = {key: entry for key, each in here.get("runs", {}).items() if (entry := _entry(each)) is not None}
        self._place = place
        self._written = ""
        self._next_write = 0.0

    def write(self, *, soon: bool = False) -> None:
        """Put it on disk, if it has changed; soon: not more often than every few seconds. Raises OSError."""
        if soon and time.monotonic() < self._next_write:
            return
        self._next_write = time.monotonic() + PAUSE_SECONDS
        self._content["options"] = self.options
        self._content["places"][self._place] = {
            "sweep": None if self.sweep is None else asdict(self.sweep),
            "runs": {key: asdict(entry) for key, entry in self.runs.items()},
        }
        text = json.dumps(self._content)
        if text != self._written:
            write_json(self.path, self._content, durable=False)
            self._written = text


@contextmanager
def opened(sweep_dir: Path, tracker: str, place: str) -> Iterator[Ledger]:
    """The ledger, which no other process has in this block.

    One that is damaged is begun anew: a tracker that finds entries by their keys goes on with them. Raises BusyError.
    """
    folder = sweep_dir / FOLDER
    make_directory(folder, sweep_dir)
    name = f"{tracker}.json"
    refuse_links(folder, (name, f"{tracker}.lock"))
    lock = FileLock(folder / f"{tracker}.lock", mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BusyError(f"another process is telling {tracker} of {sweep_dir}") from error
    try:
        yield Ledger(folder / name, place, read_ledger(sweep_dir, tracker))
    finally:
        with contextlib.suppress(OSError):
            lock.release()


def _uid(folder: Path) -> str:
    """The name of the sweep at all trackers, in a file of its own: entries are found by it where a ledger is lost."""
    file = folder / "id"
    try:
        with open_no_links(file, "x") as stream:
            stream.write(uuid.uuid4().hex)
    except FileExistsError:
        found = read_text(file, most=100).strip()
        if re.fullmatch(r"[0-9a-f]{32}", found):
            return found
        raise UsageError(f"{file} is damaged: without it the sweep is another one for its trackers") from None
    return read_text(file)


def read_ledger(sweep_dir: Path, tracker: str) -> dict[str, Any]:
    """The content of the ledger; empty where there is none that can be read."""
    file = sweep_dir / FOLDER / f"{tracker}.json"
    try:
        content = read_json(file) or {}
        if content:
            check_structure(content, _LEDGER, file)
    except ValueError:
        return {}
    content.pop("schema_version", None)
    return content


def _entry(content: Any) -> Entry | None:
    """From the file, which may be of anybody; None where it is not one."""
    try:
        check_structure(content, _ENTRY, "the ledger")
    except ValueError:
        return None
    known = {each.name for each in fields(Entry)}
    return Entry(**{"began": 0, **{key: value for key, value in content.items() if key in known}})
