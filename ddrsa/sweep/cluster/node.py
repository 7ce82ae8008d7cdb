"""An attempt at a run on a machine that a scheduler has chosen: what Ray's workers and Slurm's jobs do."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import make_directory, now
from ddrsa.rundir.reasons import kernel_memory_kills, reason_of_exit
from ddrsa.rundir.states import State
from ddrsa.sweep.gpu.lease import AVOID_VARIABLE, GIVEN_VARIABLE, WHOLE_VARIABLE
from ddrsa.sweep.process.attempt import AttemptSpec, Report, say_in_log
from ddrsa.sweep.process.attempt_server import Ended
from ddrsa.sweep.process.client import ProcessServer
from ddrsa.sweep.process.cores import CORES_VARIABLE

log = logging.getLogger(__name__)

# Between SIGTERM and SIGKILL, for an attempt that the scheduler ends.
GRACE_SECONDS = 3.0


@dataclass(frozen=True)
class Shared:
    """What all jobs of a launcher share. context: of `pickle_context`. path: sys.path of the launcher."""

    context: bytes
    preload: tuple[str, ...]
    argv: tuple[str, ...]
    path: tuple[str, ...]


# A worker of Ray does one run after another: what they import is imported once.
_servers: dict[Shared, ProcessServer] = {}


def perform(shared: Shared, spec: AttemptSpec, name: str, environ: Mapping[str, str]) -> Report:
    """Do the attempt in a process of its own, which ends with this one. Writes the final state where it could not.

    name: of this attempt, for `release_dead`. environ: added to the environment, besides what the job has.

    The report is `elsewhere` where another process has the run. An exception that comes while it waits, a
    KeyboardInterrupt for one, ends the attempt.
    """
    run = RunDirectory(spec.directory)
    make_directory(run.path, run.path)
    server = _server(shared)
    if not server.claim(run.path, job=name):
        return Report(State.RUNNING, elsewhere=True)
    try:
        status = run.status_or_empty(warn=True)
        is_done = (status.get("state"), status.get("run_id")) == (State.COMPLETED, spec.identity)
        if is_done and run.has_its_result(status):
            return Report(State.COMPLETED, value=status.get("return_value"))
        spec = replace(spec, environ={**spec.environ, **environ}, notes={**spec.notes, "job": name})
        return _attempt(server, spec)
    finally:
        server.release(run.path)


def _attempt(server: ProcessServer, spec: AttemptSpec) -> Report:
    run = RunDirectory(spec.directory)
    memory_kills = kernel_memory_kills()
    number = server.start(spec)
    try:
        ended = _wait(server)
    except BaseException as error:
        reason = f"its scheduler ended the job ({type(error).__name__})"
        _end(server, number)
        _record(run, spec, State.INTERRUPTED, reason)
        raise
    if ended.report is not None:
        return ended.report
    state = State.KILLED if ended.exit_code < 0 else State.FAILED
    reason = reason_of_exit(ended.exit_code, kernel_memory_kills() > memory_kills)
    _record(run, spec, state, reason)
    return Report(state, reason)


def _server(shared: Shared) -> ProcessServer:
    if shared not in _servers:
        # A worker may be left from another sweep.
        for server in _servers.values():
            server.close()
        _servers.clear()
        sys.argv[:] = shared.argv
        sys.path.extend(entry for entry in shared.path if entry not in sys.path)
        _servers[shared] = ProcessServer(shared.context, list(shared.preload))
    return _servers[shared]


def _wait(server: ProcessServer, seconds: float = float("inf")) -> Ended:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for ended in server.events(0.5):
            return ended
    raise TimeoutError


def _end(server: ProcessServer, number: int) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        server.kill(number, signal_number)
        try:
            _wait(server, GRACE_SECONDS)
        except TimeoutError:
            continue
        return
    log.error("the attempt %d did not end", number)


def _record(run: RunDirectory, spec: AttemptSpec, state: State, reason: str) -> None:
    status = run.status_or_empty(warn=True)
    if status.get("state") in (None, State.RUNNING):
        run.update(run_id=spec.identity, state=state, error=reason, ended_at=now())
        say_in_log(run.log, "ERROR", f"the attempt ended: {reason}")


def given_resources(visible: str | None, cores: int, shared: bool = False) -> dict[str, str]:
    """The environment of a run that has what its scheduler gave it.

    visible: the value of CUDA_VISIBLE_DEVICES, None where the scheduler has given no GPU and hidden none.
    cores: that the run may use. shared: whether other runs may have the same GPU.
    """
    environ = {CORES_VARIABLE: str(cores)}
    if visible is not None:
        environ |= {"CUDA_VISIBLE_DEVICES": visible, GIVEN_VARIABLE: "shared" if shared else "alone"}
    return environ


def node_environment(names: Sequence[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Of the launcher's environment, what its runs on other machines shall have: DDRSA_* and `names`."""
    machine_only = ("DDRSA_LEASE_DIR", AVOID_VARIABLE, WHOLE_VARIABLE, CORES_VARIABLE, GIVEN_VARIABLE)
    return {
        key: value
        for key, value in environ.items()
        if key in names or (key.startswith("DDRSA_") and key not in machine_only)
    }
