"""Files that are replaced whole: atomic writes, and JSON with a schema version."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import stat
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from ddrsa.errors import ConfigError
from ddrsa.rundir.process_identity import token, token_is_alive

SCHEMA_VERSION = 1
_CHECKSUM = "checksum"
# For `os.open`: of a link that somebody else has put there, no other file is read or written.
NO_LINKS: int = getattr(os, "O_NOFOLLOW", 0)
# The manifest of a hundred thousand runs has less.
MOST_BYTES = 1 << 30


def temporary_beside(path: Path) -> Path:
    """A name for a file of this process alone, beside `path`, which `remove_leftovers` finds when the process died."""
    return path.with_name(f".{path.name}.{token()}-{uuid.uuid4().hex[:8]}.tmp")


@contextmanager
def atomic_write(path: Path, mode: str = "w", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a file beside `path` that takes its place only when it is whole and on disk.

    If the block raises, or the process dies, `path` is what it was before. Where the machine goes down afterwards, it
    is there if `durable`, and may be what it was before if not; in no case is it damaged.
    """
    path = Path(path)
    temporary = temporary_beside(path)
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


# Those whose place in their parent, and so on, is on disk.
_placed: set[Path] = set()


def note_placed(directory: Path) -> None:
    """Note that the name of a directory, and of its parents, is on disk: another process has put it there."""
    _placed.update((directory, *directory.parents))


def require_writable(path: Path, key: str) -> None:
    """Make a directory that the user has named by `key`. Raises ConfigError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as stream:
            stream.write(bytes(2**16))  # a file without content can be made on a full disk
            stream.flush()
    except OSError as error:
        raise ConfigError(f"{key}={path} cannot be written: {error.strerror or error}") from error


def sync_directory(directory: Path) -> None:
    """Put the names of the files in a directory on disk: without that, a power cut may undo a rename, or lose a file.

    The first time also its own name in its parent, and so on up to one that is known to be there: it may be new.
    """
    directory = directory.absolute()
    chain = [directory]
    while chain[-1] not in _placed and chain[-1] != chain[-1].parent:
        chain.append(chain[-1].parent)
    for each in chain:
        # Some file systems have nothing to sync there, and some parents may not be read.
        with contextlib.suppress(OSError):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    _placed.update(chain)


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
    """Replace `path` by `content` with its `schema_version`, atomically. A number that is not finite becomes null.

    It has a checksum, by which `read_json` notices a change of any value.
    """
    whole = _without_nan({"schema_version": SCHEMA_VERSION, **content})
    whole = {**json.loads(json.dumps(whole, allow_nan=False)), _CHECKSUM: None}
    whole[_CHECKSUM] = _checksum(whole)
    with atomic_write(path, durable=durable) as stream:
        json.dump(whole, stream, indent=2, allow_nan=False)
        stream.write("\n")


def json_text(content: Any) -> str:
    """`content` as JSON in one line, as `write_json_lists` takes it, a number that is not finite as null."""
    if not _has_text_keys(content):  # sorted as texts, which they become
        content = json.loads(json.dumps(content))
    try:
        return json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except ValueError:
        return json_text(_without_nan(content))


def _has_text_keys(content: Any) -> bool:
    if isinstance(content, dict):
        return all(type(key) is str for key in content) and all(map(_has_text_keys, content.values()))
    return not isinstance(content, list | tuple) or all(map(_has_text_keys, content))


def write_json_lists(path: Path, content: dict[str, Any], lists: Mapping[str, Iterable[str]]) -> None:
    """As `write_json` with a checksum, of `content` and lists of items that are given one by one, as `json_text`.

    A line for each item, and the keys in the order of the alphabet, so that neither needs the whole in memory. Within
    `content` they keep their order, in the items they have that of the alphabet too: in it the checksum is made.
    """
    whole = json.loads(json.dumps(_without_nan({"schema_version": SCHEMA_VERSION, **content})))
    digest = hashlib.sha256(b"{")
    between = ""
    with atomic_write(path) as stream:
        stream.write("{")
        for key in sorted([*whole, *lists]):
            stream.write(f"{between}\n  {json.dumps(key)}: ")
            digest.update(f"{between}{json.dumps(key)}:".encode())
            between = ","
            if key not in lists:
                stream.write(json.dumps(whole[key], indent=2).replace("\n", "\n  "))
                digest.update(_canonical(whole[key]))
                continue
            stream.write("[")
            digest.update(b"[")
            for number, item in enumerate(lists[key]):
                stream.write(f"{',' if number else ''}\n    {item}")
                digest.update(f"{',' if number else ''}{item}".encode())
            stream.write("\n  ]")
            digest.update(b"]")
        digest.update(b"}")
        stream.write(f"{between}\n  {json.dumps(_CHECKSUM)}: {json.dumps(digest.hexdigest())}\n}}\n")


def _canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object without its own checksum, whatever the order and the spelling."""
    kept = {key: value for key, value in content.items() if key != _CHECKSUM}
    return hashlib.sha256(_canonical(kept)).hexdigest()


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> dict[str, Any] | None:
    """The content of `path`, or None where there is no such file.

    Raises ValueError, which names the file, where it cannot be read, is no JSON object or of another version.
    """
    try:
        text = read_text(path)
        content = json.loads(text)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is not valid JSON: it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {type(content).__name__}, an object is expected")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has schema_version {version!r}, this version reads {SCHEMA_VERSION}")
    if _CHECKSUM in content and content[_CHECKSUM] != _checksum(content):
        raise ValueError(
            f"{path} is damaged or was changed by hand: it does not hold what was written (the checksum differs)"
        )
    content.pop(_CHECKSUM, None)
    return content


def open_no_links(path: Path | str, mode: str = "r", newline: str | None = None) -> IO[Any]:
    """Open a file, or OSError where it is a link: in a directory that others may write it may lead anywhere."""
    return open(path, mode, newline=newline, opener=_open_no_links)


def _open_no_links(name: str, flags: int) -> int:
    return os.open(name, flags | NO_LINKS, 0o666)


def make_directory(path: Path, root: Path) -> None:
    """Make `path` and what is missing between it and `root`, no part of which may be a link.

    `root` itself, and where `path` is not beneath it the whole of it, are taken as they are: the user has named them.
    Raises OSError where a part is a link, or no directory.
    """
    follow_modes(path)
    if not path.is_relative_to(root) or ".." in path.relative_to(root).parts or not NO_LINKS:
        path.mkdir(parents=True, exist_ok=True)
        return
    root.mkdir(parents=True, exist_ok=True)
    flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
    descriptor = os.open(root, flags)
    try:
        for part in path.relative_to(root).parts:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=descriptor)
            try:
                inner = os.open(part, flags | NO_LINKS, dir_fd=descriptor)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    reason = f"{part} is a link, which is not followed, or no directory"
                    raise OSError(error.errno, reason, str(path)) from error
                raise
            os.close(descriptor)
            descriptor = inner
    finally:
        os.close(descriptor)


def follow_modes(path: Path) -> None:
    """Let what this process makes from now on be written by whoever may write the directory that `path` lies in.

    Where the users of a group share a directory, each may go on with the runs of the others. Directories in which
    everyone has files of their own, as /tmp, do not count.
    """
    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    with contextlib.suppress(OSError):
        mode = there.stat().st_mode
        if not mode & stat.S_ISVTX:
            umask = os.umask(0o077)
            os.umask(umask & ~(mode & 0o022))


def refuse_links(directory: Path, names: Iterable[str]) -> None:
    """Raise OSError where one of these in `directory` is a link: something else would be written through it."""
    for name in names:
        if (directory / name).is_symlink():
            raise OSError(errno.ELOOP, "it is a link, which is not followed", str(directory / name))


def read_text(path: Path | str, *, most: int = MOST_BYTES) -> str:
    """The text of a file of a sweep, which may not be one's own: a regular file, no link, of `most` bytes.

    Raises OSError where it is none, and ValueError where it is too long or no UTF-8.
    """
    content = read_bytes(path, most=most)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from error


def read_bytes(path: Path | str, *, most: int = MOST_BYTES) -> bytes:
    """The content of a file, as `read_text`."""
    # Nobody may ever write into a named pipe that lies in the place of a file: do not wait for it.
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_LINKS | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link, which is not followed", str(path)) from error
        raise
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        # Room for what is there, not for the most that may be: to make that takes longer than to read.
        content = stream.read(min(found.st_size, most) + 1)
        if len(content) > found.st_size:  # it has grown since, or is a file of the kernel, of which no size is known
            content += stream.read(most + 1 - len(content))
    if len(content) > most:
        raise ValueError(f"{path} has more than {most >> 20} MiB, which no file of its kind has")
    return content


def file_hash(path: Path) -> str | None:
    """SHA-256 of the bytes of a file; None where it cannot be read."""
    try:
        return hashlib.sha256(read_text(path).encode()).hexdigest()
    except (OSError, ValueError):
        return None


def fingerprint(path: Path) -> tuple[int, int, int]:
    """What tells a file that is replaced whole from the one before it, whatever the clocks say. Raises OSError."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def is_intact(path: Path) -> bool:
    """Whether a JSON file has a checksum, and it is that of its content."""
    try:
        return read_json(path) is not None and _CHECKSUM in json.loads(read_text(path))
    except (OSError, ValueError):
        return False


def now() -> str:
    """The time, UTC, as ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def nested(content: Any, key: str) -> Any:
    """The value of the dotted `key` in mappings of mappings; None where there is none."""
    for part in key.split("."):
        content = content.get(part) if isinstance(content, Mapping) else None
    return content
