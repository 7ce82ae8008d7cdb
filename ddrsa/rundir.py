"""The run directory: the names of its files, and reads and writes that never show half a file.

A run directory is the only interface between the runs and what looks at them:

    .hydra/config.yaml   the composed config, as Hydra writes it
    run.log              everything that was logged
    status.json          state, attempt, epoch, process, device, times, error
    training_log.csv     one row per epoch
    checkpoint_best.pt   the weights with the lowest validation loss
    checkpoint_last.pt   everything that is needed to go on
    test_metrics.json    the result; it exists only when the run has completed, or a search has pruned it
    .lock, .owner-<n>    who has the run: ddrsa/sweep/claims.py
"""

from __future__ import annotations

import json
import math
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psutil

SCHEMA_VERSION = 1

STATES = (
    "pending",
    "running",
    "completed",
    "failed",
    "timed_out",
    "killed",
    "interrupted",
    "pruned",
)


@contextmanager
def atomic_write(path: Path, mode: str = "w", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a file beside `path` that takes its place only when it is whole and, if `durable`, on disk.

    If the block raises, or the process dies, `path` is what it was before. Where the machine goes down, what was not
    `durable` may be lost or damaged.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open(mode) as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict[str, Any], *, durable: bool = True) -> None:
    """Replace `path` by `content` with its `schema_version`, atomically. A number that is not finite becomes null."""
    with atomic_write(path, durable=durable) as stream:
        json.dump(_without_nan({"schema_version": SCHEMA_VERSION, **content}), stream, indent=2, allow_nan=False)
        stream.write("\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> dict[str, Any] | None:
    """The content of `path`, or None where there is no such file.

    Raises ValueError where the file is no JSON object or comes from a newer version.
    """
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        return None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {type(content).__name__}, an object is expected")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has schema_version {version!r}, this version reads {SCHEMA_VERSION}")
    return content


def now() -> str:
    """The time, UTC, as ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunDirectory:
    """One run's directory."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.config = self.path / ".hydra" / "config.yaml"
        self.overrides = self.path / ".hydra" / "overrides.yaml"
        self.log = self.path / "run.log"
        self.status = self.path / "status.json"
        self.training_log = self.path / "training_log.csv"
        self.checkpoint_best = self.path / "checkpoint_best.pt"
        self.checkpoint_last = self.path / "checkpoint_last.pt"
        self.test_metrics = self.path / "test_metrics.json"

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    def read_status(self) -> dict[str, Any] | None:
        """The content of status.json, or None before the run has started. Raises ValueError as `read_json`."""
        return read_json(self.status)

    def read_test_metrics(self) -> dict[str, Any] | None:
        """The content of test_metrics.json, or None before the run has ended well. Raises ValueError as `read_json`."""
        return read_json(self.test_metrics)

    def begin(self, run_id: str, **fields: Any) -> None:
        """Start an attempt: state running, this process and host, one attempt more than before.

        Called again by the process that is at it already, it adds `fields` to the same attempt.
        """
        # A status file that an earlier process damaged must not keep the run from starting again.
        try:
            previous = self.read_status() or {}
        except ValueError:
            previous = {}
        process = {"pid": os.getpid(), "hostname": socket.gethostname()}
        if previous.get("state") == "running" and all(previous.get(key) == value for key, value in process.items()):
            self._write_status({**previous, "run_id": run_id, **fields})
            return
        self._write_status(
            {
                "run_id": run_id,
                "state": "running",
                "attempt": int(previous.get("attempt", 0)) + 1,
                "epoch": 0,
                **process,
                "started_at": now(),
                "ended_at": None,
                "error": None,
                **fields,
            },
        )

    def update(self, **fields: Any) -> None:
        """Change some fields of status.json."""
        self._write_status({**(self.read_status() or {}), **fields})

    def end(self, state: str, error: str | None = None, **fields: Any) -> None:
        """Write the final state, with the reason where it is not `completed`. Raises ValueError for another state."""
        if state not in STATES:
            raise ValueError(f"state {state!r} is not one of {', '.join(STATES)}")
        self.update(**{"ended_at": now(), **fields, "state": state, "error": error})

    def _write_status(self, status: dict[str, Any]) -> None:
        # That a run is under way means nothing after the machine went down, so the disk need not be waited for.
        write_json(self.status, {**status, "updated_at": now()}, durable=status.get("state") != "running")


def find_runs(sweep_dir: Path | str) -> list[RunDirectory]:
    """Every run directory beneath `sweep_dir`, in the order of their paths: each that has a `.hydra/config.yaml`."""
    found = []
    # Not rglob, which takes seconds for thousands of runs.
    for directory, names, _ in os.walk(sweep_dir):
        if ".hydra" in names:
            names.remove(".hydra")
            if os.path.exists(os.path.join(directory, ".hydra", "config.yaml")):  # noqa: PTH110, PTH118
                found.append(directory)
    return [RunDirectory(path) for path in sorted(map(Path, found))]


def is_alive(status: dict[str, Any]) -> bool | None:
    """Whether the process of a status.json still runs; None where it is another host's, or cannot be known."""
    if status.get("hostname") != socket.gethostname():
        return None
    try:
        process = psutil.Process(int(status["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        born = process.create_time()
        started = datetime.fromisoformat(status["started_at"]).timestamp()
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, KeyError, TypeError, ValueError):
        return None
    # A process that is younger than the run has only inherited its number. The file counts in whole seconds.
    return born <= started + 2


# The owner of a run touches its file more often than that.
SILENT_SECONDS = 60.0


def owner_file(directory: Path, number: int) -> Path:
    """The file of the `number`-th process, counted from 1, that has claimed the run in `directory`."""
    return directory / f".owner-{number}"


def last_owner(directory: Path) -> int:
    """The highest number of an `owner_file`; 0 where nobody has claimed the run yet."""
    suffixes = (path.name.removeprefix(".owner-") for path in directory.glob(".owner-*"))
    return max((int(suffix) for suffix in suffixes if suffix.isdigit()), default=0)


def is_lost(directory: Path, status: dict[str, Any]) -> bool:
    """Whether a status.json of the run in `directory` says `running`, and its process is gone.

    On another host it is taken for gone when it has let the run go, or has been silent for more than a minute.
    """
    if status.get("state") != "running":
        return False
    alive = is_alive(status)
    if alive is not None:
        return not alive
    number = last_owner(directory)
    try:
        # Here the clocks of this machine and of the file server are compared.
        return number > 0 and time.time() - owner_file(directory, number).stat().st_mtime > 1.5 * SILENT_SECONDS
    except OSError:
        return False
