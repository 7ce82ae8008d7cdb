"""Client of the server of attempts: start them, signal them, collect their exits.

Where the system has prctl, the server forks (`ddrsa.sweep.process.fork_server`), else it starts interpreters
(`ddrsa.sweep.process.spawn_server`). DDRSA_PORTABLE=1 in the environment makes it do so everywhere.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Collection
from pathlib import Path
from typing import Any

import cloudpickle

from ddrsa.errors import ConfigError
from ddrsa.rundir.claims import Claim
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State, is_alive
from ddrsa.sweep.gpu.lease import processes_that_wait
from ddrsa.sweep.process import fork_server, spawn_server
from ddrsa.sweep.process.attempt import AttemptSpec, Report
from ddrsa.sweep.process.attempt_server import Ended
from ddrsa.sweep.process.channel import Channel
from ddrsa.sweep.process.server import SECONDS_TO_START, python_that_calls
from ddrsa.sweep.process.tree import kernel_binds_children, signal_tree

log = logging.getLogger(__name__)

PORTABLE_VARIABLE = "DDRSA_PORTABLE"


def is_portable() -> bool:
    """Whether the processes of the attempts are bound to the launcher by portable means alone."""
    return not kernel_binds_children() or os.environ.get(PORTABLE_VARIABLE, "0") not in ("", "0")


class ProcessServer:
    """The fork server of this process, and the attempts that it has under way. Ends with `close`, or with this process.

    Should the server be killed, its attempts end as killed, and the next `start` starts another server.

    It has the methods of `AttemptServer`.
    """

    look_seconds = 1.0

    def __init__(self, context: bytes, preload: list[str]) -> None:
        """context: of `pickle_context`. preload: names of the modules that are imported once, before the first fork."""
        self._setup = cloudpickle.dumps((sys.argv, preload, context))
        self._portable = is_portable()
        self._control: Channel | None = None
        self._ready = False
        self._last_number = 0
        self._files: dict[int, int] = {}  # number of an attempt -> descriptor of its file
        self._pids: dict[int, int] = {}
        self._directories: dict[int, Path] = {}
        self._claims: dict[Path, Claim] = {}

    def warm_up(self) -> None:
        """Start the server, if there is none; it imports while this process goes on."""
        if self._control is not None:
            return
        main = spawn_server.main if self._portable else fork_server.main
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with its:
            process = subprocess.Popen(
                python_that_calls(main, its.fileno()),
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control, self._ready = Channel(ours), False
        setup = self._file_with(self._setup)
        self._finalizer = weakref.finalize(self, _close, self._control, process, setup)
        self._send(setup, do="setup")

    def claim(self, directory: Path, job: str = "") -> bool:
        """See `AttemptServer`. job: as `Claim.take`."""
        claim = Claim.take(directory, job=job)
        if claim is None:
            return False
        status = RunDirectory(directory).status_or_empty()
        if status.get("state") == State.RUNNING and is_alive(status):  # under Hydra's own launcher, without a claim
            claim.release()
            return False
        self._claims[directory] = claim
        return True

    def release(self, directory: Path) -> None:
        """See `AttemptServer`."""
        self._claims.pop(directory).release()

    def start(self, spec: AttemptSpec) -> int:
        """Start a process for `job`; it holds the claim too. Returns the number of the attempt.

        Raises ConfigError where the server cannot import what it has to.
        """
        self.warm_up()
        self._wait_until_ready()
        self._last_number += 1
        number = self._last_number
        self._files[number] = self._file_with(cloudpickle.dumps(spec))
        self._directories[number] = spec.directory
        self._send(self._files[number], self._claims[spec.directory].descriptor, do="start", number=number)
        return number

    def kill(self, number: int, signal_number: signal.Signals) -> None:
        """Send a signal to an attempt and all its descendants."""
        if self._control is not None:
            self._send(do="kill", number=number, signal=int(signal_number))

    def events(self, timeout: float) -> list[Ended]:
        """The attempts that have ended; waits for one, at most `timeout` seconds."""
        ended: list[Ended] = []
        while self._control is not None:
            message = self._receive(0 if ended else timeout)
            if message is None:
                break
            if not message:
                ended += self._server_is_gone()
            elif message["event"] == "started":
                self._pids[message["number"]] = message["pid"]
            elif message["event"] == "ended":
                ended.append(self._ended(message["number"], message["exit_code"], message["peak_memory"]))
        return ended

    def queued(self, *, at_once: bool = False) -> Collection[int]:  # noqa: ARG002
        """See `AttemptServer`: an attempt begins with `start`."""
        return ()

    def waiting(self) -> Collection[int]:
        """The attempts that have no GPU yet."""
        try:
            waiting = processes_that_wait()
        except (ConfigError, OSError) as error:  # nobody can lease there, so nobody waits
            log.debug("who waits for a GPU cannot be known: %s", error)
            return ()
        return [number for number, pid in self._pids.items() if pid in waiting]

    def wrote(self, status: dict[str, Any]) -> bool:  # noqa: ARG002
        """See `AttemptServer`: where an attempt is ended here, it is known why."""
        return False

    def close(self) -> None:
        """End the server and all attempts, and let their runs go."""
        self._stop()
        for directory in list(self._claims):
            self.release(directory)

    def _stop(self) -> None:
        if self._control is not None:
            self._control = None
            self._finalizer()

    def _wait_until_ready(self) -> None:
        while not self._ready:
            message = self._receive(SECONDS_TO_START)
            if message is None:
                raise TimeoutError(f"the process that starts the runs was not ready after {SECONDS_TO_START} s")
            if not message or message["event"] == "error":
                self.close()
                reason = message.get("message", "it was killed")
                raise ConfigError(f"the process that starts the runs cannot start (hydra.launcher.preload): {reason}")
            self._ready = message["event"] == "ready"

    def _send(self, *descriptors: int, **request: Any) -> None:
        assert self._control is not None
        try:
            self._control.send(*descriptors, **request)
        except OSError as error:
            log.warning("the process that starts the runs is gone: %s", error)  # `events` ends the attempts

    def _file_with(self, content: bytes) -> int:
        """A file without a name: unlike a message it may be of any size. In memory no full disk can spoil it."""
        if self._portable:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        else:
            descriptor = os.memfd_create("ddrsa-attempt")
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.write(content)
        return descriptor

    def _receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None where there is none in time, {} where the server is gone."""
        assert self._control is not None
        try:
            return self._control.receive(timeout)[0]
        except TimeoutError:
            return None
        except EOFError:
            return {}

    def _server_is_gone(self) -> list[Ended]:
        log.error("the process that starts the runs was killed; the runs under way ended with it")
        for pid in self._pids.values():
            signal_tree(pid, signal.SIGKILL)  # what has not ended with the server: the runs' children
        ended = [self._ended(number, -signal.SIGKILL, 0) for number in list(self._files)]
        self._stop()
        return ended

    def _ended(self, number: int, exit_code: int, peak_memory: int) -> Ended:
        self._pids.pop(number, None)
        claim = self._claims[self._directories.pop(number)]
        with os.fdopen(self._files.pop(number), "rb") as file:
            file.seek(0)
            try:
                content = cloudpickle.load(file)
            except (EOFError, pickle.UnpicklingError):  # it was killed as it wrote its report
                content = None
        if claim.is_lost():
            content = Report(State.RUNNING, elsewhere=True)
        return Ended(number, exit_code, content if isinstance(content, Report) else None, peak_memory)


def _close(control: Channel, process: subprocess.Popen[bytes], setup: int) -> None:
    control.close()
    process.wait()
    os.close(setup)
