"""A script as a child process: all that it starts ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import psutil

from ddrsa.errors import ConfigError
from ddrsa.sweep.process.tree import adopt_orphans, descendants, die_with_parent, kill_descendants, send_signal

# Less than the supervisor gives the process that waits here.
GRACE_SECONDS = 2.0


class Terminated(BaseException):
    """SIGTERM has come while the script ran; the script has been ended."""


def execute(
    line: Sequence[str],
    log: Path,
    directory: Path,
    environ: Mapping[str, str],
    seconds: float | None = None,
    largest_file: int | None = None,
) -> int:
    """Run a command to its end, and give its exit code: negative, the signal that killed it.

    log: what it prints is appended there as it prints it. directory: where it works. largest_file: in bytes, of those
    that it may write.

    Whatever ends the wait, an exception too, the command and all processes that it has started are gone then.
    Raises ConfigError where it cannot be started, Terminated, and subprocess.TimeoutExpired after `seconds`.
    """
    earlier = descendants()
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
                preexec_fn=_before_the_program(largest_file),
            )
            return process.wait(seconds)
        except OSError as error:
            raise ConfigError(f"{line[0]} cannot be started: {error}") from error
        finally:
            _end(process, earlier)


def _end(process: subprocess.Popen[bytes] | None, earlier: list[psutil.Process]) -> None:
    """SIGTERM, and SIGKILL for what is left: of the process, and of all that it started, in whatever session."""
    if process is not None and process.poll() is None:
        send_signal([process for process in descendants() if process not in earlier], signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    kill_descendants(keep=earlier)


def _before_the_program(largest_file: int | None) -> Callable[[], None] | None:
    """What the new process does first: it has the kernel kill it when this process dies, however that dies."""
    # The kernel takes the thread that forks for the parent: others may end before the process does.
    parent = os.getpid() if threading.current_thread() is threading.main_thread() else None
    if parent is None and largest_file is None:
        return None

    def prepare() -> None:
        if parent is not None:
            die_with_parent(parent)
        if largest_file is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return prepare


@contextlib.contextmanager
def _adopts_orphans() -> Iterator[None]:
    """Within the block, adopt processes whose parent has died, so that they can be ended as well."""
    adopt_orphans()
    try:
        yield
    finally:
        adopt_orphans(False)


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Within the block, SIGTERM raises Terminated, and not again while that is being handled."""
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
