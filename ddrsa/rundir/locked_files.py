"""Files whose content counts only while the process that wrote it lives and holds them.

The kernel drops a lock (`flock`) with the last descriptor of its holder, however the holder ends. So nothing needs to
be cleaned up after a killed process, and no process id has to be trusted. POSIX only.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import lock_descriptor

from ddrsa.errors import ConfigError
from ddrsa.rundir.files import NO_LINKS, read_text


class LockedFile:
    """A JSON file that this process holds, from `create` to `release`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take over an open descriptor that has the lock on `path`. Use `create`."""
        self.path = path
        self._descriptor: int | None = descriptor
        _held_here.add(self)

    @classmethod
    def create(cls, path: Path, content: Mapping[str, Any]) -> LockedFile | None:
        """Lock `path` and replace its content; None where another process holds it."""
        # Descriptors that Python opens are closed by exec, so a subprocess never keeps the lock.
        # The next user of a shared directory must be able to lock it, and nobody to put a link to something else there.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINKS, 0o666)
        # A cleaner of temporary files may have deleted the file before it was locked: that lock would guard no name.
        if not lock_descriptor(descriptor, blocking=False) or os.fstat(descriptor).st_nlink == 0:
            os.close(descriptor)
            return None
        file = cls(path, descriptor)
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(content).encode())
        except OSError:
            file.release()
            raise
        return file

    @property
    def held(self) -> bool:
        """Whether this process still holds the file."""
        return self._descriptor is not None

    @property
    def descriptor(self) -> int:
        """Descriptor of the open file: a process that gets it holds it too. Raises ValueError after `release`."""
        if self._descriptor is None:
            raise ValueError(f"{self.path} is not held")
        return self._descriptor

    def release(self) -> None:
        """Let the file go; it stays on disk, and counts for nothing. May be called again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


# A fork without exec (a torch DataLoader worker) copies the descriptors, and the copy would keep the lock after its
# holder has gone. Closing the copy leaves the holder's lock as it is; unlocking it would not.
_held_here: weakref.WeakSet[LockedFile] = weakref.WeakSet()


def _close_inherited() -> None:
    for file in list(_held_here):
        file.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


def read_held(path: Path) -> dict[str, Any] | None:
    """The content of `path` while a process holds it; None where nobody does.

    It takes the lock for a moment to find out, so all who read or create must agree on a mutex.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | NO_LINKS | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    try:
        if lock_descriptor(descriptor, blocking=False):
            return None
        try:
            content = json.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            raise OSError(errno.EINVAL, "it is damaged", str(path)) from error
        if not isinstance(content, dict):
            raise OSError(errno.EINVAL, "it is damaged", str(path))
        return content
    finally:
        os.close(descriptor)


def lock_directory(directory: Path | str | None = None) -> Path:
    """The directory of the locks of this user on this machine, made if need be.

    `directory`, else the environment variable DDRSA_LEASE_DIR, else /tmp/ddrsa-leases-<uid>. The default is a fixed
    path, because all processes of the user must find the same one: XDG_RUNTIME_DIR is not set under cron, is another
    user's after su, and its directory is deleted at logout while runs go on; TMPDIR may differ from job to job; a home
    directory may be shared by machines.

    Raises ConfigError where it cannot be used or others could write to it.
    """
    given = directory or os.environ.get("DDRSA_LEASE_DIR")
    path = Path(given or f"/tmp/ddrsa-leases-{os.getuid()}")
    advice = "set the environment variable DDRSA_LEASE_DIR to a directory of your own on this machine"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Everyone can write to /tmp: another user may have put a link there first.
        status = path.stat() if given else path.lstat()
    except OSError as error:
        raise ConfigError(f"the directory of the GPU leases cannot be used ({error}): {advice}") from error
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != os.getuid()
        or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise ConfigError(
            f"the directory of the GPU leases, {path}, is not yours alone, others may write it: chmod go-w {path}, or "
            f"{advice}"
        )
    return path
