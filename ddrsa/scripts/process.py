"""A script as a child process: all that it starts ends with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import psutil

from ddrsa.errors import ConfigError
from ddrsa.sweep.process.fork_server import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG

# Less than the supervisor gives the process that waits here.
GRACE_SECONDS = 2.0


class Terminated(BaseException):
    """SIGTERM has come while the script ran; the script has been ended."""


def execute(line: Sequence[str], log: Path, directory: Path, environ: Mapping[str, str]) -> int:
    """Run a command to its end, and give its exit code: negative, the signal that killed it.

    log: what it prints is appended there as it prints it. directory: where it works.

    Whatever ends the wait, an exception too, the command and all processes that it has started are gone then.
    Raises ConfigError where it cannot be started, and Terminated.
    """
    earlier = _descendants()
    process = None
    with log.open("ab") as stream, _adopts_orphans(), _sigterm_raises():
        try:
            process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=dict(environ),
                preexec_fn=_binder(),
            )
            return process.wait()
        except OSError as error:
            raise ConfigError(f"{line[0]} cannot be started: {error}") from error
        finally:
            _end(process, earlier)


def _end(process: subprocess.Popen[bytes] | None, earlier: set[psutil.Process]) -> None:
    """SIGTERM, and SIGKILL for what is left: of the process, and of all that it started, in whatever session."""
    if process is not None and process.poll() is None:
        _signal([psutil.Process(process.pid), *_started_since(earlier)], signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    # One that is killed may have started another meanwhile.
    while left := _started_since(earlier):
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)


def _descendants() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _started_since(earlier: set[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in _descendants() - earlier:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _binder() -> Callable[[], None] | None:
    """For the new process: a function that has the kernel kill it when this process dies, however it dies."""
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def bind() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return bind


@contextlib.contextmanager
def _adopts_orphans() -> Iterator[None]:
    """In this block a process whose parent has died becomes a child of this one, so that it can be ended as well."""
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """In this block SIGTERM raises Terminated, and not again while that is being handled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
