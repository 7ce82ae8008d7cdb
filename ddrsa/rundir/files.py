"""Files that are replaced whole: atomic writes, and JSON with a schema version."""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

SCHEMA_VERSION = 1


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


def nested(content: Any, key: str) -> Any:
    """The value of the dotted `key` in mappings of mappings; None where there is none."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content
