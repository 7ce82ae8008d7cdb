"""The fork server: a process that has imported the heavy modules once and forks a fresh process per attempt.

The launcher starts it through `ddrsa.sweep.process.guardian` and holds the other end of its control channel. Nothing
outlives its launcher: when that end is closed, however the launcher died, the server kills all that it started. Should
the server be killed itself, the kernel kills its children (PR_SET_PDEATHSIG), and the guardian what they have started.
It has one thread, as fork needs it.
Where the kernel does not bind children to their parent, `ddrsa.sweep.process.spawn_server` takes its place.

Why not multiprocessing's forkserver: its children outlive it and its clients, stay in the terminal's session, where
Ctrl+C reaches them, have no process group to be killed as a whole, and are reaped without their peak memory.
"""

from __future__ import annotations

import copy
import gc
import os
import signal
import socket

from hydra.core.utils import configure_log
from omegaconf import OmegaConf

from ddrsa.sweep.process.attempt import Attempt
from ddrsa.sweep.process.channel import Channel
from ddrsa.sweep.process.server import Server, become_attempt, limit_what_was_inherited, prepare, say_ready
from ddrsa.sweep.process.tree import adopt_orphans, die_with_parent


def main(control_descriptor: int, guardian: int) -> None:
    """Serve the launcher at the other end of the socket `control_descriptor` until it is gone.

    guardian: descriptor of a pipe whose other end the guardian has.
    """
    adopt_orphans()
    for descriptor in (control_descriptor, guardian):
        os.set_inheritable(descriptor, False)
    control = Channel(socket.socket(fileno=control_descriptor))
    prepared = prepare(control)
    if prepared is None:
        return
    context, setup = prepared
    os.close(setup)
    _rehearse()
    # Objects that no collection touches stay shared between the forked processes.
    gc.collect()
    gc.freeze()
    attempt = ForkServer(control, guardian).serve() if say_ready(control) else None
    if attempt is not None:
        limit_what_was_inherited()
        become_attempt(attempt, context)


def _rehearse() -> None:
    """What Hydra does for every job: the parser of OmegaConf, for one, is slow until it has seen such texts once."""
    config = OmegaConf.create(
        {
            "job": {"name": "a", "dir": "b"},
            "log": "${job.dir}/${job.name}.log",
            "data": "${oc.env:NO_SUCH_VARIABLE,none}",
        }
    )
    OmegaConf.to_container(config, resolve=True)
    OmegaConf.to_yaml(copy.deepcopy(config))
    configure_log(OmegaConf.create({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}))


class ForkServer(Server):
    """Forks a process per attempt: it has at once what this one has imported."""

    def start(self, number: int, job: int, lock: int) -> Attempt | None:
        """Fork; returns the attempt in the new process."""
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # Its own session: Ctrl+C at the terminal does not reach it, and its group can be killed as a whole.
            os.setsid()
            die_with_parent(server)
            return Attempt(job, lock)
        self.attempts[pid] = number
        self.tell(event="started", number=number, pid=pid)
        return None
