"""The process of the server of attempts: how it is started, and how it is ended with all below it.

Where the system has prctl, the server forks (`ddrsa.sweep.process.fork_server`) and has a guardian, else it starts
interpreters (`ddrsa.sweep.process.spawn_server`). DDRSA_PORTABLE=1 in the environment makes it do so everywhere.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import psutil

from ddrsa.sweep.process import fork_server, guardian, spawn_server
from ddrsa.sweep.process.channel import Channel
from ddrsa.sweep.process.server import python_that_calls
from ddrsa.sweep.process.tree import descendants, kernel_binds_children, send_signal

PORTABLE_VARIABLE = "DDRSA_PORTABLE"
MARK_VARIABLE = "DDRSA_SERVER"
# A server that answers has ended an attempt, or everything, long before.
SECONDS_TO_DIE = 5.0


def is_portable() -> bool:
    """Whether the processes of the attempts are bound to the launcher by portable means alone."""
    return not kernel_binds_children() or os.environ.get(PORTABLE_VARIABLE, "0") not in ("", "0")


def start_server(control: int, portable: bool, mark: str) -> subprocess.Popen[bytes]:
    """The process to wait for: the guardian, or the portable server itself. control: the descriptor for the server."""
    environ = {**os.environ, MARK_VARIABLE: mark}
    if portable:
        return _in_a_session(python_that_calls(spawn_server.main, control), [control], environ)
    given, held = os.pipe()
    try:
        numbers = map(str, (os.getpid(), control, held, given))
        command = [sys.executable, "-I", "-S", guardian.__file__, *numbers]
        command += python_that_calls(fork_server.main, control, given)
        return _in_a_session(command, [control, held, given], environ)
    finally:
        os.close(given)
        os.close(held)


def _in_a_session(command: list[str], passed: list[int], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, pass_fds=passed, env=environ, stdin=subprocess.DEVNULL, start_new_session=True)


def kill_marked(mark: str) -> None:
    """Kill all below this process that has the mark in its environment: orphans that it has adopted."""

    def is_marked(process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return process.environ().get(MARK_VARIABLE) == mark
        return False

    while left := [process for process in descendants() if is_marked(process)]:
        send_signal(left, signal.SIGKILL)
        if not psutil.wait_procs(left, timeout=1)[0]:
            break


def kill_server(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all below it, also such as are stopped."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        while left := descendants(process.pid):  # while the guardian stands, what loses its parent stays below it
            send_signal(left, signal.SIGKILL)
            if not psutil.wait_procs(left, timeout=1)[0]:
                break
        root.kill()


def close_server(control: Channel, process: subprocess.Popen[bytes], setup: int) -> None:
    """End a server and all that it has started. setup: the descriptor of the file with which it was set up."""
    control.close()
    try:
        process.wait(SECONDS_TO_DIE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # Ctrl+C at the very end: all is done but this
        kill_server(process)
        process.wait()
    os.close(setup)
