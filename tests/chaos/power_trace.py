"""What a command has done to the files below a directory, as strace saw it: an operation each, in their order."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CALLS = "openat,open,creat,write,pwrite64,writev,rename,renameat,renameat2,fsync,fdatasync,unlink,unlinkat,rmdir,mkdir"
_CALLS += ",mkdirat,ftruncate,truncate,link,linkat,symlink,symlinkat,copy_file_range,sendfile"

_FILE = r"\d+<([^>]*)>"  # a descriptor, with -y
_AT = r"(?:AT_FDCWD|\d+)<[^>]*>"  # the directory that a path is relative to
_IN = r"(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"
_TEXT = r'"([^"]*)"'
_PATTERNS = {
    "open": re.compile(rf"openat\({_AT}, {_TEXT}, ([A-Z_|]+)[^)]*\) += {_FILE}"),
    "write": re.compile(rf"write\({_FILE}, {_TEXT}, \d+\) += \d+"),
    "sync": re.compile(rf"f(?:data)?sync\({_FILE}\) += 0"),
    "rename": re.compile(rf"rename(?:at2?)?\({_IN}{_TEXT}, {_IN}{_TEXT}(?:, \w+)?\) += 0"),
    "unlink": re.compile(rf"(?:unlink|rmdir)(?:at)?\({_IN}{_TEXT}[^)]*\) += 0"),
    "mkdir": re.compile(rf"mkdir(?:at)?\({_IN}{_TEXT}, \d+\) += 0"),
    "truncate": re.compile(rf"ftruncate\({_FILE}, (\d+)\) += 0"),
}


@dataclass(frozen=True)
class Operation:
    """One. what: create, clear, write, truncate, sync, rename, unlink or mkdir. other: the new name, or the bytes."""

    what: str
    path: str
    other: bytes = b""


def trace(command: Sequence[str], working_dir: Path, environ: Mapping[str, str], below: Path) -> list[Operation]:
    """Run a command to its end, and give what it and its children did below a directory. Raises where it fails."""
    log = working_dir / "trace"
    options = ["-f", "-y", "-xx", "-s", "100000000", "--seccomp-bpf", "-e", f"trace={_CALLS}", "-o", str(log)]
    done = subprocess.run(
        ["strace", *options, *command],
        cwd=working_dir,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{done.stdout}\n{done.stderr}")
    with log.open() as lines:
        found = [each for line in _whole(lines) if (each := _operation(line, working_dir)) is not None]
    log.unlink()
    inside = [each for each in found if Path(each.path).is_relative_to(below)]
    return [each for each in inside if each.what != "rename" or Path(each.other.decode()).is_relative_to(below)]


def _whole(lines: Iterator[str]) -> Iterator[str]:
    """The calls of all processes, each in one line, where it ended."""
    begun: dict[str, str] = {}
    for line in lines:
        pid, _, call = line.rstrip("\n").partition(" ")
        call = call.lstrip()
        if call.endswith("<unfinished ...>"):
            begun[pid] = call.removesuffix("<unfinished ...>").rstrip(" ")
        elif call.startswith("<... "):
            yield begun.pop(pid, "") + call.partition("resumed>")[2]
        else:
            yield call


def _operation(call: str, working_dir: Path) -> Operation | None:
    """working_dir: of relative paths; nobody changes it but to a run's own."""
    for what, pattern in _PATTERNS.items():
        if (match := pattern.match(call)) is None:
            continue
        if what == "open":
            path, flags = _bytes(match[3]).decode(errors="replace"), match[2].split("|")
            if "O_TMPFILE" in flags or path.endswith(" (deleted)"):
                return None
            if "O_TRUNC" in flags:
                return Operation("clear", path)
            return Operation("create", path) if "O_CREAT" in flags else None
        if what == "rename":
            other = _path(working_dir, match[3], match[4])
            return Operation(what, _path(working_dir, match[1], match[2]), other.encode())
        if what in ("unlink", "mkdir"):
            return Operation(what, _path(working_dir, match[1], match[2]))
        path = _bytes(match[1]).decode(errors="replace")
        if what == "write":
            return Operation(what, path, _bytes(match[2]))
        return Operation(what, path, match[2].encode() if what == "truncate" else b"")
    if call.startswith(("pwrite", "writev", "link", "symlink", "copy_file_range", "sendfile", "truncate")):
        return Operation("unknown", call)
    return None


def _path(working_dir: Path, relative_to: str | None, text: str) -> str:
    return str(working_dir / _bytes(relative_to or "").decode() / _bytes(text).decode(errors="replace"))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if "\\x" in text else text.encode()
