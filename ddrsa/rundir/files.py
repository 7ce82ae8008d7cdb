"""Files that are replaced whole: atomic writes, and JSON with a schema version."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ddrsa.errors import ConfigError
from ddrsa.rundir.process_identity import token, token_is_alive

SCHEMA_VERSION = 1


@contextmanager
def atomic_write(path: Path, mode: str = "w", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a file beside `path` that takes its place only when it is whole and on disk.

    If the block raises, or the process dies, `path` is what it was before. Where the machine goes down afterwards, it
    is there if `durable`, and may be what it was before if not; in no case is it damaged.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{token()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open(mode) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


# Those whose place in their parent, and so on, this process has put on disk.
_placed: set[Path] = set()


def make_directory(path: Path, key: str) -> None:
    """Make a directory that the user has named by `key`. Raises ConfigError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ConfigError(f"{key}={path} cannot be written: {error.strerror or error}") from error


def sync_directory(directory: Path) -> None:
    """Put the names of the files in a directory on disk: without that, a power cut may undo a rename, or lose a file.

    The first time also its own name in its parent, and so on: it may be new.
    """
    directory = directory.absolute()
    others = [] if directory in _placed else directory.parents
    for each in (directory, *others):
        # Some file systems have nothing to sync there, and some parents may not be read.
        with contextlib.suppress(OSError):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    _placed.add(directory)


def sync_file(path: Path) -> None:
    """Put the content of a file that somebody else has written on disk, where there is one."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_TEMPORARY = re.compile(r"\..+\.(?:[0-9a-f]{32}|([0-9a-f]+-\d+-\d+)-[0-9a-f]{8})\.tmp")


def remove_leftovers(directory: Path, *, owned: bool) -> None:
    """Delete what `atomic_write` has left in a directory where its process was killed.

    owned: no process of another machine writes there now, so theirs are leftovers too.
    """
    for path in directory.glob(".*.tmp"):
        if (match := _TEMPORARY.fullmatch(path.name)) is None:
            continue
        alive = None if match[1] is None else token_is_alive(match[1])
        if alive is False or (alive is None and owned):
            with contextlib.suppress(OSError):
                path.unlink()


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


def nested(content: Any, key: str) -> Any:
    """The value of the dotted `key` in mappings of mappings; None where there is none."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content
