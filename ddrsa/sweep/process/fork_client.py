"""The launcher's end of the warm server: start, kill and follow the processes of the attempts."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import weakref
from dataclasses import dataclass
from typing import Any, Protocol

import cloudpickle

from ddrsa.errors import ConfigError
from ddrsa.rundir.claims import Claim
from ddrsa.sweep.process.attempt import Job, Report

log = logging.getLogger(__name__)

SECONDS_TO_START = 300  # for the modules that are imported once, from a slow network disk


@dataclass(frozen=True)
class Ended:
    """An attempt's process has ended, and its process group with it.

    exit_code: negative, the signal that killed it. report: None where the process could not give one.
    peak_memory: in bytes, of the process alone; 0 where it is not known.
    """

    number: int
    exit_code: int
    report: Report | None
    peak_memory: int


class AttemptServer(Protocol):
    """Does the attempts that a supervisor starts, on this machine or on others."""

    def warm_up(self) -> None:
        """Prepare for the first `start`."""

    def start(self, job: Job, claim: Claim | None) -> int:
        """Start an attempt; returns its number. claim: on its run, where the supervisor has it already."""

    def pid(self, number: int) -> int | None:
        """The process id of an attempt under way on this machine."""

    def kill(self, number: int, signal_number: signal.Signals) -> None:
        """Send a signal to an attempt and all its descendants."""

    def events(self, timeout: float) -> list[Ended]:
        """The attempts that have ended; waits for one, at most `timeout` seconds."""

    def close(self) -> None:
        """End all attempts."""


class ProcessServer:
    """A warm server of this process, and the attempts that it has under way. Ends with `close`, or with this process.

    Should the server be killed, its attempts end as killed, and the next `start` starts another server.
    """

    def __init__(self, context: bytes, preload: list[str]) -> None:
        """context: of `pickle_context`. preload: names of the modules that are imported once, before the first fork."""
        self._setup = cloudpickle.dumps((sys.argv, preload, context))
        self._control: socket.socket | None = None
        self._ready = False
        self._last_number = 0
        self._files: dict[int, int] = {}  # number of an attempt -> descriptor of its file
        self._pids: dict[int, int] = {}

    def warm_up(self) -> None:
        """Start the server, if there is none; it imports while this process goes on."""
        if self._control is not None:
            return
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fork_server = "ddrsa.sweep.process.fork_server"
        with its:
            code = f"import sys; sys.path[:] = {sys.path!r}; from {fork_server} import main; main({its.fileno()})"
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control, self._ready = ours, False
        self._finalizer = weakref.finalize(self, _close, ours, process)
        descriptor = _file_with(self._setup)
        try:
            socket.send_fds(ours, [b"setup"], [descriptor])
        finally:
            os.close(descriptor)

    def start(self, job: Job, claim: Claim | None) -> int:
        """Start a process for `job`; it holds `claim` too. Returns the number of the attempt.

        Raises ConfigError where the server cannot import what it has to.
        """
        if claim is None:
            raise ValueError(f"{job.directory} is not claimed")
        self.warm_up()
        self._wait_until_ready()
        assert self._control is not None
        self._last_number += 1
        number = self._last_number
        self._files[number] = _file_with(cloudpickle.dumps(job))
        try:
            request = json.dumps({"do": "start", "number": number}).encode()
            socket.send_fds(self._control, [request], [self._files[number], claim.descriptor])
        except OSError as error:
            log.warning("the process that starts the runs is gone: %s", error)  # `events` ends the attempt
        return number

    def pid(self, number: int) -> int | None:
        """The process id of an attempt under way; None while it is not known yet."""
        return self._pids.get(number)

    def kill(self, number: int, signal_number: signal.Signals) -> None:
        """Send a signal to an attempt and all its descendants."""
        if self._control is None:
            return
        try:
            self._control.send(json.dumps({"do": "kill", "number": number, "signal": int(signal_number)}).encode())
        except OSError as error:
            log.warning("the process that starts the runs is gone: %s", error)

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

    def close(self) -> None:
        """End the server and all attempts."""
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

    def _receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message, None where there is none in time, {} where the server is gone."""
        assert self._control is not None
        self._control.settimeout(max(timeout, 0.0001))
        try:
            content = self._control.recv(4096)
        except TimeoutError:
            return None
        except ConnectionResetError:
            return {}
        finally:
            self._control.settimeout(None)
        return json.loads(content) if content else {}

    def _server_is_gone(self) -> list[Ended]:
        log.error("the process that starts the runs was killed; the runs under way ended with it")
        for pid in self._pids.values():
            try:
                os.killpg(pid, signal.SIGKILL)  # what the kernel has not ended with the server: the runs' children
            except ProcessLookupError:
                continue
        ended = [self._ended(number, -signal.SIGKILL, 0) for number in list(self._files)]
        self.close()
        return ended

    def _ended(self, number: int, exit_code: int, peak_memory: int) -> Ended:
        self._pids.pop(number, None)
        with os.fdopen(self._files.pop(number), "rb") as file:
            file.seek(0)
            content = cloudpickle.load(file)
        return Ended(number, exit_code, content if isinstance(content, Report) else None, peak_memory)


def _file_with(content: bytes) -> int:
    """A file in memory: it has no size limit as a message has, and no full disk can spoil it."""
    descriptor = os.memfd_create("ddrsa-attempt")
    with os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(content)
    return descriptor


def _close(control: socket.socket, process: subprocess.Popen[bytes]) -> None:
    control.close()
    process.wait()
