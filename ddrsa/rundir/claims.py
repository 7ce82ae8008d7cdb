"""Exclusive ownership of a run directory across processes and machines.

Two things tell, because neither is enough everywhere:

- `.lock`, locked with `flock`: the kernel drops it with the process that holds it, however that ends. It is the whole
  truth about the processes of one machine. Between machines some file systems carry it (NFS 4), and some do not.
- `.owner-1`, `.owner-2`, ...: the run's owners one after another. Each makes its file with O_EXCL, so there is exactly
  one of each number, on every machine, and touches it every few seconds. Nobody but the owner of the last one has the
  run. One that has let it go has set the time of its file to zero; one that is silent for a minute is taken for dead
  by other machines.

An owner that was taken for dead and was not (its machine slept, or was cut off) finds a higher number than its own, and
ends its process at once. The times that are compared are all the file server's: clocks need not agree.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddrsa.errors import ConfigError, UsageError
from ddrsa.rundir.files import follow_modes, now, open_no_links, read_text, remove_leftovers
from ddrsa.rundir.locked_files import LockedFile
from ddrsa.rundir.states import SILENT_SECONDS, last_owner, owner_file
from ddrsa.texts import printable

log = logging.getLogger(__name__)

LOCK = ".lock"
HEARTBEAT_SECONDS = 10.0
# Of a process whose run another machine has taken over (EX_TEMPFAIL of sysexits.h).
LOST_EXIT_CODE = 75


class RunElsewhereError(UsageError):
    """Another process is doing the run."""


class Claim:
    """The right of this process to do the run in `directory`, until `release` or the end of the process."""

    def __init__(
        self, directory: Path, lock: LockedFile, number: int, when_lost: Callable[[Claim], None] | None = None
    ) -> None:
        """Use `take` or `adopt`."""
        self.directory = directory
        self.lost = False  # as the last `beat` found
        self._lock = lock
        self._number = number
        self._when_lost = when_lost
        _beat_for(self)

    @classmethod
    def take(cls, directory: Path, *, job: str = "", when_lost: Callable[[Claim], None] | None = None) -> Claim | None:
        """Claim the run in `directory`; None where another process has it.

        job: what the owner is to others, for `release_dead`.
        when_lost: called, from another thread, when another machine has taken the run over.

        Raises ConfigError where the file system has no locks, and OSError where it cannot be written.
        """
        follow_modes(directory)
        content = {"since": now(), "machine": machine_id(), "hostname": socket.gethostname(), "pid": os.getpid()}
        try:
            lock = LockedFile.create(directory / LOCK, content)
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise ConfigError(
                    f"the file system of {directory} has no locks (flock: {os.strerror(error.errno)}), which keep two "
                    "processes from doing one run: choose hydra.sweep.dir on another"
                ) from error
            raise
        if lock is None:
            return None
        try:
            number = _become_owner(directory, lock, {**content, "job": job})
        except OSError:
            lock.release()
            raise
        if number is None:
            lock.release()
            return None
        remove_leftovers(directory, owned=True)
        return cls(directory, lock, number, when_lost)

    @classmethod
    def adopt(cls, directory: Path, descriptor: int, when_lost: Callable[[Claim], None] | None = None) -> Claim:
        """The claim of the process from which this one has got the `descriptor`: it is held until both have ended."""
        return cls(directory, LockedFile(directory / LOCK, descriptor), last_owner(directory), when_lost)

    @property
    def held(self) -> bool:
        """False once it is released, and in a process that was forked from its holder."""
        return self._lock.held

    @property
    def descriptor(self) -> int:
        """For `adopt`, in another process."""
        return self._lock.descriptor

    def release(self) -> None:
        """Let the run go. May be called again."""
        if not self.held:
            return
        _claims.discard(self)
        if not self.lost:
            _let_go(owner_file(self.directory, self._number))
        self._lock.release()

    def is_lost(self) -> bool:
        """Whether another machine has the run now."""
        self.beat()
        return self.lost

    def beat(self) -> None:
        """Show others that the owner lives, and notice if there is another one."""
        if not self.held or self.lost:
            return
        try:
            self.lost = owner_file(self.directory, self._number + 1).exists()
            if not self.lost:
                _touch(owner_file(self.directory, self._number))
        except OSError as error:
            log.debug("%s cannot be touched: %s", self.directory, error)
        if self.lost and self._when_lost is not None:
            self._when_lost(self)


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Own the run in `directory` within the block; a launcher may have claimed it for this process before.

    Raises RunElsewhereError where another process has it.
    """
    if any(claim.held and claim.directory.samefile(directory) for claim in list(_claims)):
        yield
        return
    claim = Claim.take(directory, when_lost=end_process)
    if claim is None:
        raise RunElsewhereError(f"{directory} is being done by {described_owner(directory)}: it is left alone")
    try:
        yield
    finally:
        claim.release()


def end_process(claim: Claim) -> None:
    """End this process without another word: what it would write belongs to the new owner now."""
    print(f"{claim.directory} was taken over by {described_owner(claim.directory)}: this process ends", file=sys.stderr)
    sys.stderr.flush()
    os._exit(LOST_EXIT_CODE)


def release_dead(directory: Path, job: str) -> None:
    """Let go what a process of `job` has claimed: for whoever knows that it is dead, so that nobody waits for it."""
    path = owner_file(directory, last_owner(directory))
    if _content(path).get("job") == job:
        _let_go(path)


def described_owner(directory: Path) -> str:
    """The process that has the run, or had it last, in words."""
    owner = _content(owner_file(directory, last_owner(directory)))
    known = {"pid", "hostname"} <= owner.keys()
    return printable(f"process {owner['pid']} on {owner['hostname']}") if known else "another process"


def machine_id() -> str:
    """The same for all processes of this kernel, and no others; host names may be the same on several machines."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        # Not Linux. The network card's address may change; then the owner counts as one of another machine.
        return f"{uuid.getnode():x}"


def _become_owner(directory: Path, lock: LockedFile, content: dict[str, Any]) -> int | None:
    """The number of this owner; None where another machine's process has the run. Call it with the lock held."""
    number = last_owner(directory)
    while True:
        if number and _is_kept(owner_file(directory, number), lock):
            return None
        number += 1
        try:
            # Others may read it, so that they see who has the run.
            descriptor = os.open(owner_file(directory, number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            # Another machine was faster, or a network file system has shown an old listing.
            continue
        with os.fdopen(descriptor, "w") as stream:
            json.dump(content, stream)
        return number


def _is_kept(path: Path, lock: LockedFile) -> bool:
    """Whether the owner of the file may still be at work."""
    # A network file system shows the true time of a file after it has been opened.
    with open_no_links(path) as stream:
        touched = os.fstat(stream.fileno()).st_mtime
    if _content(path).get("machine") == machine_id():
        return False  # by the lock
    os.utime(lock.descriptor)
    return os.fstat(lock.descriptor).st_mtime - touched < SILENT_SECONDS


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError):  # none, or its owner is about to write it
        return {}
    return content if isinstance(content, dict) else {}


def _touch(path: Path, times: tuple[int, int] | None = None) -> None:
    os.utime(path, times, follow_symlinks=os.utime not in os.supports_follow_symlinks)


def _let_go(path: Path) -> None:
    try:
        _touch(path, (0, 0))
    except OSError as error:
        log.debug("%s cannot be let go, it counts for another minute: %s", path, error)


# The claims that this process holds, and the thread that beats for them.
_claims: weakref.WeakSet[Claim] = weakref.WeakSet()
_thread: threading.Thread | None = None
_guard = threading.Lock()


def _beat_for(claim: Claim) -> None:
    global _thread
    with _guard:
        _claims.add(claim)
        if _thread is None:
            _thread = threading.Thread(target=_beat_forever, name="heartbeat", daemon=True)
            _thread.start()


def _beat_forever() -> None:
    pause = threading.Event()
    while not pause.wait(HEARTBEAT_SECONDS):
        with _guard:
            claims = list(_claims)
        for claim in claims:
            claim.beat()


def _forget_inherited() -> None:
    global _thread, _guard
    _guard = threading.Lock()
    _thread = None
    _claims.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
