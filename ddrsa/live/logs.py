"""The ends of a run's logs, as text."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import NO_LINKS
from ddrsa.texts import printable

MOST_BYTES = 24_000
MOST_LINES = 200
MOST_LOGS = 4

# Colours and movements of the cursor, of which a page has none.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def logs_of(directory: Path) -> list[Path]:
    """The logs in the directory of a run that have something in them, the launcher's first.

    Of a Hydra app there is its own beside it, and what it has printed (output.log).
    """
    first = RunDirectory(directory).log
    found = [first, *sorted(path for path in directory.glob("*.log") if path != first)]
    return [path for path in found if not path.is_symlink() and path.exists() and not _is_empty(path)][:MOST_LOGS]


def _is_empty(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size == 0


def end_of(path: Path) -> str:
    """The last lines of a log, without colours; of a line that was written over itself, what stood there last.

    Raises OSError where it cannot be read, or is no regular file: a link is not followed.
    """
    descriptor = os.open(path, os.O_RDONLY | NO_LINKS | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no regular file")
        begins = max(found.st_size - MOST_BYTES, 0)
        stream.seek(begins)
        text = stream.read(MOST_BYTES).decode(errors="replace")
    lines = text.split("\n")
    if begins:
        lines = lines[1:]  # it may be the end of a line
    lines = [_ESCAPES.sub("", line.rstrip("\r").rpartition("\r")[2]) for line in lines]
    cut = ["..."] if begins or len(lines) > MOST_LINES else []
    return printable("\n".join([*cut, *lines[-MOST_LINES:]]).rstrip())
