"""The portable server: a fresh interpreter per attempt, for systems without prctl (macOS, BSD).

It serves the launcher as `ddrsa.sweep.process.fork_server` does, but does not fork: macOS's frameworks, which torch
uses, may crash in a forked process. So each attempt imports its modules anew, which takes seconds if torch is one.

An attempt dies with the server because it reads from a pipe whose other end only the server has. A thread does that:
where native code holds Python's lock, the attempt dies only when it lets it go. What an attempt has started is found by
its process group and by its ancestors: a process that has left the group, and whose parent has died, is not found.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading

from ddrsa.sweep.process.attempt import Attempt
from ddrsa.sweep.process.channel import Channel
from ddrsa.sweep.process.server import Server, become_attempt, load_setup, prepare, python_that_calls, say_ready
from ddrsa.sweep.process.tree import kill_descendants


def main(control_descriptor: int) -> None:
    """Serve the launcher at the other end of the socket `control_descriptor` until it is gone."""
    os.set_inheritable(control_descriptor, False)
    control = Channel(socket.socket(fileno=control_descriptor))
    imported = threading.Event()
    threading.Thread(target=_die_with_launcher, args=(control_descriptor, imported), daemon=True).start()
    prepared = prepare(control)  # so that what cannot be imported is known before the first attempt
    imported.set()
    if prepared is None:
        return
    _, setup = prepared
    if say_ready(control):
        SpawnServer(control, setup).serve()


def do_attempt(setup: int, job: int, lock: int, lifeline: int) -> None:
    """Do the attempt with these descriptors, for a server in whose hands the other end of `lifeline` is."""
    for descriptor in (setup, job, lock, lifeline):
        os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    threading.Thread(target=_die_with_server, args=(lifeline,), name="lifeline", daemon=True).start()
    attempt, context = Attempt(job, lock), load_setup(setup)
    os.close(setup)
    become_attempt(attempt, context)


def _die_with_launcher(control_descriptor: int, imported: threading.Event) -> None:
    """End this process where the launcher ends while it imports; later `serve` sees it."""
    closed = select.poll()
    closed.register(control_descriptor, 0)  # POLLHUP is always told
    while not imported.is_set():
        if closed.poll(200):
            os._exit(1)


def _die_with_server(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing is ever written
    kill_descendants()
    os.killpg(os.getpgid(0), signal.SIGKILL)


class SpawnServer(Server):
    """Starts an interpreter per attempt."""

    def __init__(self, control: Channel, setup: int) -> None:
        """setup: descriptor of the file for `load_setup`."""
        super().__init__(control)
        self.setup = setup
        self._lifeline, self._kept_open = os.pipe()

    def start(self, number: int, job: int, lock: int) -> None:
        """Start an interpreter in a session of its own."""
        passed = (self.setup, job, lock, self._lifeline)
        process = subprocess.Popen(
            python_that_calls(do_attempt, *passed),
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        process.returncode = 0  # it is reaped by `reap`, and not by Popen
        self.attempts[process.pid] = number
        self.tell(event="started", number=number, pid=process.pid)
