"""Client of the server of attempts: start them, signal them, collect their exits."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import sys
import tempfile
import time
import uuid
import weakref
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle

from ddrsa.errors import ConfigError
from ddrsa.rundir.claims import Claim
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import remove_leftovers
from ddrsa.rundir.process_identity import is_alive
from ddrsa.rundir.states import State
from ddrsa.sweep.gpu.lease import processes_that_wait
from ddrsa.sweep.process.attempt import AttemptSpec, Report
from ddrsa.sweep.process.attempt_server import Ended
from ddrsa.sweep.process.channel import Channel
from ddrsa.sweep.process.server import SECONDS_TO_START
from ddrsa.sweep.process.server_process import (
    SECONDS_TO_DIE,
    close_server,
    is_portable,
    kill_marked,
    kill_server,
    start_server,
)
from ddrsa.sweep.process.tree import adopt_orphans, signal_tree

log = logging.getLogger(__name__)

# Of a server that imports: one that needs more memory than there is dies each time.
MOST_DEATHS = 3


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
        self._mark = uuid.uuid4().hex  # in the environment of all that the server starts
        self._control: Channel | None = None
        self._ready = False
        self._last_number = 0
        self._files: dict[int, int] = {}  # number of an attempt -> descriptor of its file
        self._pids: dict[int, int] = {}
        self._directories: dict[int, Path] = {}
        self._claims: dict[Path, Claim] = {}
        self._killed_at: dict[int, float] = {}  # of the attempts that SIGKILL was sent to
        self._ready_until = 0.0
        self._deaths = 0  # of servers that were not ready yet

    def warm_up(self) -> None:
        """Start the server, if there is none; it imports while this process goes on."""
        if self._control is not None:
            return
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with its:
            adopt_orphans()
            self._process = start_server(its.fileno(), self._portable, self._mark)
        self._control, self._ready = Channel(ours), False
        self._ready_until = time.monotonic() + SECONDS_TO_START
        self._killed_at.clear()
        setup = self._file_with(self._setup)
        self._finalizer = weakref.finalize(self, close_server, self._control, self._process, setup)
        self._send(setup, do="setup")

    def is_ready(self, timeout: float) -> bool:
        """See `AttemptServer`. Raises ConfigError where the server cannot import what it has to."""
        self.warm_up()
        if self._ready:
            return True
        message = self._receive(timeout)
        if message is None:
            if time.monotonic() < self._ready_until:
                return False
            message = {"message": f"it was not ready after {SECONDS_TO_START} s"}
        if message.get("event") == "ready":
            self._ready = True
            return True
        if not message and self._deaths < MOST_DEATHS:
            log.warning("the process that starts the runs was killed while it started: another is started")
            self._deaths += 1
            self._stop()
            return False
        self.close()
        reason = message.get("message", "it was killed")
        raise ConfigError(f"the process that starts the runs cannot start (hydra.launcher.preload): {reason}")

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
        remove_leftovers(directory, owned=True)
        self._claims.pop(directory).release()

    def start(self, spec: AttemptSpec) -> int:
        """Start a process for `job`; it holds the claim too. Returns the number of the attempt.

        Raises ConfigError where the server cannot import what it has to.
        """
        while not self.is_ready(1.0):
            pass
        self._last_number += 1
        number = self._last_number
        self._files[number] = self._file_with(cloudpickle.dumps(spec))
        self._directories[number] = spec.directory
        self._send(self._files[number], self._claims[spec.directory].descriptor, do="start", number=number)
        return number

    def kill(self, number: int, signal_number: signal.Signals) -> None:
        """Send a signal to an attempt and all its descendants.

        Where SIGKILL has no effect, the server itself is stopped, or hangs: then it is ended with all attempts.
        """
        if self._control is None:
            return
        if signal_number == signal.SIGKILL:
            first = self._killed_at.setdefault(number, time.monotonic())
            if time.monotonic() - first > SECONDS_TO_DIE:
                log.error("the process that starts the runs does not answer: it is ended")
                kill_server(self._process)
                return
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
            elif message["event"] == "not started":
                nothing = self._ended(message["number"], 1, 0)
                ended.append(replace(nothing, report=nothing.report or Report(State.FAILED, message["reason"])))
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
        kill_marked(self._mark)  # the guardian, too, may have been killed
        self._stop()  # before another attempt: nothing of these may be at work still
        return [self._ended(number, -signal.SIGKILL, 0) for number in list(self._files)]

    def _ended(self, number: int, exit_code: int, peak_memory: int) -> Ended:
        self._pids.pop(number, None)
        self._killed_at.pop(number, None)
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
