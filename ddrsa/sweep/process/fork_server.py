"""The fork server: a process that has imported the heavy modules once and forks a fresh process per attempt.

The launcher starts it (`ddrsa.sweep.process.fork_client`) and holds the other end of its control socket. Nothing
outlives its launcher: when that end is closed, however the launcher died, the server kills all that it started. Should
the server be killed itself, the kernel kills its children (PR_SET_PDEATHSIG). It has one thread, as fork needs it.

Why not multiprocessing's forkserver: its children outlive it and its clients, stay in the terminal's session, where
Ctrl+C reaches them, have no process group to be killed as a whole, and are reaped without their peak memory.
"""

from __future__ import annotations

import atexit
import copy
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from typing import Any

import cloudpickle
from hydra.core.utils import configure_log
from omegaconf import OmegaConf

from ddrsa.sweep.process.attempt import Attempt, Context, restore_context
from ddrsa.sweep.process.cores import share_cores
from ddrsa.sweep.process.tree import adopt_orphans, die_with_parent, kill_descendants, signal_group, signal_tree


def main(control_descriptor: int) -> None:
    """Serve the launcher at the other end of the socket `control_descriptor` until it is gone."""
    control = socket.socket(fileno=control_descriptor)
    adopt_orphans()
    # A process that has used CUDA cannot be forked: torch, where it is preloaded, shall look for GPUs without it.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    share_cores()
    try:
        context = _prepare(control)
    except Exception as error:
        traceback.print_exc()
        _send(control, event="error", message=f"{type(error).__name__}: {error}")
        return
    # Objects that no collection touches stay shared between the forked processes.
    gc.collect()
    gc.freeze()
    _send(control, event="ready")
    attempt = Server(control).serve()
    if attempt is None:
        return
    _become_attempt(attempt, context)


def _prepare(control: socket.socket) -> Context:
    _, (descriptor,), _, _ = socket.recv_fds(control, 4096, 1, socket.MSG_CMSG_CLOEXEC)
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - it has no path
        stream.seek(0)
        arguments, preload, context = cloudpickle.load(stream)
    sys.argv[:] = arguments
    for module in preload:
        importlib.import_module(module)
    restored = restore_context(context)
    _rehearse()
    return restored


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


def _become_attempt(attempt: Attempt, context: Context) -> None:
    """Do the attempt and end this process, in the way that Python ends one, without tearing its modules down."""
    code = 1
    try:
        code = attempt.perform(context)
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)


class Server:
    """Starts, ends and reaps the processes of the attempts."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.attempts: dict[int, int] = {}  # process id -> number that the launcher gave

    def serve(self) -> Attempt | None:
        """Returns None when the launcher is gone, and in each forked process the attempt that it has to do."""
        child_ended, wake = os.pipe()
        os.set_blocking(child_ended, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(child_ended, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if child_ended in ready:
                    os.read(child_ended, 65536)
                    self.reap()
                if self.control.fileno() not in ready:
                    continue
                message, descriptors, _, _ = socket.recv_fds(self.control, 4096, 2, socket.MSG_CMSG_CLOEXEC)
                if not message:
                    self.end_everything()
                    return None
                request = json.loads(message)
                if request["do"] == "kill":
                    self.kill(request["number"], request["signal"])
                    continue
                if self.start(request["number"]) == 0:
                    break
                for descriptor in descriptors:
                    os.close(descriptor)
        # This is a forked process.
        for descriptor in (child_ended, wake):
            os.close(descriptor)
        self.control.close()
        return Attempt(*descriptors)

    def start(self, number: int) -> int:
        """Fork; returns 0 in the new process."""
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            # Its own session: Ctrl+C at the terminal does not reach it, and its group can be killed as a whole.
            os.setsid()
            die_with_parent(server)
            return 0
        self.attempts[pid] = number
        _send(self.control, event="started", number=number, pid=pid)
        return pid

    def reap(self) -> None:
        """Tell the launcher of the attempts that have ended, when nothing of their process groups is left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self.attempts.pop(pid, None)
            if number is None:
                continue
            signal_group(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(status)
            _send(self.control, event="ended", number=number, exit_code=code, peak_memory=usage.ru_maxrss * 1024)

    def kill(self, number: int, signal_number: int) -> None:
        """Send a signal to the attempt, its group and all its descendants, in whatever group they are."""
        for pid, other in self.attempts.items():
            if other == number:
                signal_tree(pid, signal_number)
                return

    def end_everything(self) -> None:
        """Kill all descendants."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
        kill_descendants()


def _send(control: socket.socket, **content: Any) -> None:
    try:
        control.send(json.dumps(content).encode())
    except (BrokenPipeError, ConnectionResetError):
        # The launcher is gone, which the next read of the socket tells, too; everything is ended there.
        return


def _do_nothing(*_: Any) -> None:
    """A handler has to be set for the wakeup descriptor to be written."""
