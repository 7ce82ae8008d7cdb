"""Room on a disk: whether an error says that there is none, whether there is some now, and waiting for it."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# A full disk is mended by hand: a sweep waits so long for it.
SECONDS_TO_WAIT = 600.0
LOOK_SECONDS = 1.0
# Bytes without which a disk counts as full: that of a small checkpoint.
LEAST_BYTES = 2**18

_FULL = (errno.ENOSPC, errno.EDQUOT)


def says_full(error: BaseException | None) -> bool:
    """Whether an error, or what it was raised from or during, is that a disk (or a quota) is full."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def has_room(directory: Path) -> bool:
    """Whether a small file can be written in a directory. Where another reason keeps it from that, there is room."""
    try:
        with tempfile.TemporaryFile(dir=directory) as stream:
            stream.write(bytes(LEAST_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return not says_full(error)
    return True


def with_room(
    write: Callable[[], Result],
    place: Path,
    wanted: Callable[[], bool] = lambda: True,
    seconds: float = SECONDS_TO_WAIT,
) -> Result:
    """Write, again and again while the disk is full. Raises its OSError after `seconds`, or when no longer `wanted`."""
    deadline = time.monotonic() + seconds
    told = False
    while True:
        try:
            result = write()
        except OSError as error:
            if not says_full(error) or time.monotonic() > deadline or not wanted():
                raise
            if not told:
                log.warning("the disk of %s is full: waiting up to %g minutes for room", place, seconds / 60)
            told = True
            time.sleep(LOOK_SECONDS)
            continue
        if told:
            log.warning("the disk of %s has room again", place)
        return result
