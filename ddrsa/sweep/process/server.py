"""The server of a launcher's attempts: starts, ends and reaps their processes, and dies with its launcher."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import selectors
import signal
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import cloudpickle

from ddrsa.sweep.process.attempt import Attempt
from ddrsa.sweep.process.channel import Channel
from ddrsa.sweep.process.context import Context, restore_context
from ddrsa.sweep.process.cores import share_cores
from ddrsa.sweep.process.tree import kill_descendants, signal_group, signal_tree

SECONDS_TO_START = 300  # for the modules that are imported once, from a slow network disk
SECONDS_TO_EXIT = 10.0  # for the exit handlers that were registered before the fork
BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024


def python_that_calls(function: Callable[..., None], *numbers: int) -> list[str]:
    """The command of an interpreter that finds the modules of this one and calls a function of one of them."""
    name = function.__name__
    return [
        sys.executable,
        "-c",
        f"import sys; sys.path[:] = {sys.path!r}; from {function.__module__} import {name}; {name}(*{numbers})",
    ]


def prepare(control: Channel) -> tuple[Context, int] | None:
    """Import what the attempts need, tell the launcher, and give it with the descriptor for `load_setup`.

    None where that fails, and the launcher is told why; and where the launcher is gone.
    """
    # A process that has used CUDA cannot be forked: torch, where it is preloaded, shall look for GPUs without it.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    share_cores()
    try:
        _, (descriptor,) = control.receive(SECONDS_TO_START)
        return load_setup(descriptor), descriptor
    except EOFError:  # the launcher is gone already
        return None
    except Exception as error:
        traceback.print_exc()
        say_ready(control, event="error", message=f"{type(error).__name__}: {error}")
        return None


def say_ready(control: Channel, event: str = "ready", **content: str) -> bool:
    """Tell the launcher that attempts can start, or why not; False where it is gone: it had no run to start."""
    try:
        control.send(event=event, **content)
    except OSError:
        return False
    return True


def load_setup(descriptor: int) -> Context:
    """Give this process the launcher's arguments and Hydra's state, and import the modules to preload.

    descriptor: of a file with all that, whose position is left alone: other processes share it.
    """
    arguments, preload, context = cloudpickle.loads(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    sys.argv[:] = arguments
    for module in preload:
        importlib.import_module(module)
    return restore_context(context)


def become_attempt(attempt: Attempt, context: Context) -> None:
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


def limit_what_was_inherited() -> None:
    """Have the kernel end this process when the exit handlers that it has from before the fork take too long.

    One that waits for a thread, as some libraries register when they are imported, waits for ever: a forked process
    has no thread of its parent's. Those that the run itself has registered come first, and take as long as they take.
    """

    def limit() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # without Python, whose lock the handler may hold
        signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_EXIT)

    atexit.register(limit)


class Server(ABC):
    """Starts, ends and reaps the processes of the attempts."""

    def __init__(self, control: Channel, guardian: int | None = None) -> None:
        """guardian: a descriptor that can be read when the guardian is gone."""
        self.control = control
        self.guardian = guardian
        self.attempts: dict[int, int] = {}  # process id -> number that the launcher gave
        self._pid = os.getpid()

    @abstractmethod
    def start(self, number: int, job: int, lock: int) -> Attempt | None:
        """Start a process, and tell the launcher; in a forked one returns what that has to do.

        job, lock: the descriptors of `Attempt`, which are closed here afterwards.
        """

    def serve(self) -> Attempt | None:
        """Returns None when the launcher is gone, and in each forked process the attempt that it has to do.

        Whatever ends it, an error of its own too, ends all that it has started.
        """
        try:
            return self._serve()
        finally:
            if os.getpid() == self._pid:
                self.end_everything()

    def _serve(self) -> Attempt | None:
        child_ended, wake = os.pipe()
        os.set_blocking(child_ended, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(child_ended, selectors.EVENT_READ)
            if self.guardian is not None:
                selector.register(self.guardian, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self.guardian in ready:
                    return None
                if child_ended in ready:
                    os.read(child_ended, 65536)
                    self.reap()
                if self.control.fileno() not in ready:
                    continue
                try:
                    attempt = self.obey()
                except EOFError:
                    return None
                if attempt is not None:
                    break
        # This is a forked process.
        for descriptor in (child_ended, wake):
            os.close(descriptor)
        if self.guardian is not None:
            os.close(self.guardian)
        self.control.close()
        return attempt

    def obey(self) -> Attempt | None:
        """Do what the launcher has asked for since. Raises EOFError where it is gone."""
        while True:
            try:
                request, descriptors = self.control.receive(0)
            except TimeoutError:
                return None
            if request["do"] == "kill":
                self.kill(request["number"], request["signal"])
            elif attempt := self._started(request["number"], *descriptors):
                return attempt
            for descriptor in descriptors:
                os.close(descriptor)

    def _started(self, number: int, job: int, lock: int) -> Attempt | None:
        """As `start`; where the system gives no process, the launcher is told so."""
        try:
            return self.start(number, job, lock)
        except OSError as error:  # of the processes of this user, say, there may be no more
            self.tell(event="not started", number=number, reason=f"no process could be started for it: {error}")
            return None

    def tell(self, **content: Any) -> None:
        """Send a message to the launcher."""
        # Where the launcher is gone the next read of the channel tells, too; everything is ended there.
        with contextlib.suppress(OSError):
            self.control.send(**content)

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
            self.tell(event="ended", number=number, exit_code=code, peak_memory=usage.ru_maxrss * BYTES_OF_MAXRSS)

    def kill(self, number: int, signal_number: int) -> None:
        """Send a signal to the attempt, its group and all its descendants, in whatever group they are."""
        for pid, other in self.attempts.items():
            if other == number:
                signal_tree(pid, signal_number)
                return

    def end_everything(self) -> None:
        """Kill all descendants, and the groups of the attempts."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
        for pid in self.attempts:
            signal_tree(pid, signal.SIGKILL)
        kill_descendants()


def _do_nothing(*_: Any) -> None:
    """A handler has to be set for the wakeup descriptor to be written."""
