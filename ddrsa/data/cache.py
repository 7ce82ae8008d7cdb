"""Prepared sequences on disk, so that the many runs of a sweep parse each data set once."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from ddrsa.data.notes import Note, collected_notes, tell
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError

log = logging.getLogger(__name__)

FORMAT_VERSION = 4
"""To be raised when a reader, the simulator or the form of an entry changes: older entries are then left alone."""

PARTS = "parts.json"
NOTES = "notes.json"


def content_key(options: Mapping[str, Any], files: Iterable[Path]) -> str:
    """A hash of the format version, the reader's options, and the names and bytes of the files it reads.

    Raises DataError where a file cannot be read.
    """
    digest = hashlib.sha256(json.dumps([FORMAT_VERSION, dict(options)], sort_keys=True).encode())
    for path in files:
        digest.update(f"{path.name} {_content(path)}\n".encode())
    return digest.hexdigest()[:32]


def comparison_hash(options: Mapping[str, Any], files: Iterable[Path]) -> str:
    """A hash of the options and of the bytes of the files, whatever these are called: 16 hexadecimal digits.

    Raises DataError where a file cannot be read.
    """
    digest = hashlib.sha256(json.dumps(dict(options), sort_keys=True).encode())
    for content in sorted(_content(path) for path in files):
        digest.update(content.encode())
    return digest.hexdigest()[:16]


def _content(path: Path) -> str:
    """A hash of the bytes of a file. Raises DataError where it cannot be read."""
    try:
        state = path.stat()
        return _content_of(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


@lru_cache(maxsize=1000)
def _content_of(path: Path, size: int, changed: int) -> str:  # noqa: ARG001  (of a file as it was at that time)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def cached(cache_dir: Path, key: str, build: Callable[[], dict[str, Sequences]]) -> dict[str, Sequences]:
    """The named sequences of the entry `key`, memory-mapped; built, and stored, by the first that asks for them.

    Any number of processes may call this at once: one builds, the others wait. An entry appears at once and whole.
    What the readers said when an entry was built is said again when it is found.
    A damaged entry is logged and built anew. Raises DataError where `cache_dir` cannot be written.
    """
    entry = cache_dir / "datasets" / key
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(entry.with_suffix(".lock")):
            if entry.exists():
                try:
                    parts, notes = _load(entry)
                except DataError as error:
                    log.warning("the cache entry is damaged and is built anew: %s", error)
                    shutil.rmtree(entry)
                else:
                    tell(notes)
                    return parts
            with collected_notes() as said:
                built = build()
            _store(entry, built, said)
            return _load(entry)[0]
    except OSError as error:
        raise DataError(f"cache_dir {cache_dir} cannot be used: {error}") from error


def _store(entry: Path, parts: dict[str, Sequences], notes: list[Note]) -> None:
    prefix = f".{entry.name}-"
    for left in entry.parent.glob(f"{prefix}*"):  # under the lock: what a killed process did not finish
        shutil.rmtree(left)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=entry.parent))
    try:
        for name, sequences in parts.items():
            sequences.save(temporary / name)
        (temporary / NOTES).write_text(json.dumps(notes))
        (temporary / PARTS).write_text(json.dumps(list(parts)))
        temporary.chmod(0o755)  # mkdtemp lets no other user read; a cache may be shared
        temporary.rename(entry)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _load(entry: Path) -> tuple[dict[str, Sequences], list[Note]]:
    try:
        names = json.loads((entry / PARTS).read_text())
        notes = [Note(*note) for note in json.loads((entry / NOTES).read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{entry / PARTS} cannot be read: {error}") from error
    return {name: Sequences.load(entry / name) for name in names}, notes
