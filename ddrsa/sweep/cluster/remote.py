"""Runs on machines that a scheduler chooses: the supervisor's and the launcher's side of `ddrsa.sweep.cluster.node`."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.core.singleton import Singleton
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from ddrsa.rundir.claims import Claim, release_dead
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State, is_lost
from ddrsa.sweep.cluster.node import Shared, node_environment
from ddrsa.sweep.launcher import SupervisedLauncher
from ddrsa.sweep.process.attempt import Context, Job, Report, pickle_context
from ddrsa.sweep.process.fork_client import Ended
from ddrsa.sweep.supervise.run_state import SupervisedRun
from ddrsa.sweep.supervise.supervisor import Supervisor

# How often to look which jobs of the queue have begun: of each a file is read, from a network disk.
LOOK_AT_QUEUE_SECONDS = 2.0


@dataclass(frozen=True)
class Submitted:
    """An attempt that the scheduler has. name: the same is in the `job` of the run's status.json once it has begun."""

    number: int
    name: str
    job: Job


class RemoteServer(ABC):
    """An `AttemptServer` that hands the attempts to a scheduler. The run's machine claims the run, when it begins."""

    def __init__(self, launcher: str, shared: Shared, environment: Sequence[str]) -> None:
        """launcher: its name. environment: names of variables that the runs shall have from this process."""
        self.launcher = launcher
        self.shared = shared
        self._environ = node_environment(environment)
        self._identity = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._last_number = 0
        self._queued: dict[int, Submitted] = {}
        self._next_look = 0.0

    @abstractmethod
    def submit(self, submitted: Submitted) -> None:
        """Hand the attempt to the scheduler, now or with the next `events`."""

    @abstractmethod
    def events(self, timeout: float) -> list[Ended]:
        """See `AttemptServer`."""

    @abstractmethod
    def kill(self, number: int, signal_number: signal.Signals) -> None:
        """See `AttemptServer`."""

    @abstractmethod
    def close(self) -> None:
        """See `AttemptServer`."""

    def warm_up(self) -> None:  # noqa: B027 - there is nothing to prepare
        """See `AttemptServer`."""

    def pid(self, number: int) -> None:  # noqa: ARG002
        """See `AttemptServer`: its process is on another machine."""
        return

    def start(self, job: Job, claim: Claim | None) -> int:  # noqa: ARG002 - where the run is, it is claimed
        """See `AttemptServer`."""
        self._last_number += 1
        number = self._last_number
        name = f"{self._identity}-{number}"
        job = replace(job, environ={**job.environ, **self._environ}, notes={"launcher": self.launcher})
        self._queued[number] = Submitted(number, name, job)
        self.submit(self._queued[number])
        return number

    def is_queued(self, number: int) -> bool:
        """Whether the attempt has not begun, as far as is known."""
        return number in self._queued

    def begun(self, *, at_once: bool = False) -> list[int]:
        """The attempts that have begun since the last call; unless `at_once`, some are told a little later."""
        if time.monotonic() < self._next_look and not at_once:
            return []
        begun = [number for number, submitted in self._queued.items() if self._has_begun(submitted)]
        for number in begun:
            del self._queued[number]
        self._next_look = time.monotonic() + LOOK_AT_QUEUE_SECONDS
        return begun

    def owns(self, job_name: Any) -> bool:
        """Whether the `job` of a status.json is an attempt of this server."""
        return str(job_name).startswith(self._identity)

    def _ended(self, submitted: Submitted, report: Report) -> Ended:
        self._queued.pop(submitted.number, None)
        if report.state is State.KILLED:
            release_dead(submitted.job.directory, submitted.name)
        return Ended(submitted.number, 0, report, 0)

    def _has_begun(self, submitted: Submitted) -> bool:
        return RunDirectory(submitted.job.directory).status_or_empty().get("job") == submitted.name


class RemoteSupervisor(Supervisor):
    """A supervisor of a `RemoteServer`'s attempts: they wait in a queue first, and claim their runs themselves."""

    look_seconds = 5.0  # a job that only finds the run taken costs the scheduler something

    server: RemoteServer
    _withdraw = True  # the queued attempts, when no new run shall start

    def _take(self, task: SupervisedRun) -> bool:
        if task.attempts > 0:
            return True
        if self._settled(task):
            return False
        run = RunDirectory(task.run.directory)
        run.path.mkdir(parents=True, exist_ok=True)
        status = run.status_or_empty()
        if status.get("state") == State.RUNNING and not is_lost(run.path, status):
            self._leave_alone(task)
            return False
        return True

    def _say_started(self, task: SupervisedRun) -> None:
        """Not yet: it waits in the queue."""

    def _step(self) -> None:
        super()._step()
        withdraw, self._withdraw = self._withdraw and bool(self.stopping), not self.stopping
        for number in self.server.begun(at_once=withdraw):
            active = self._active.get(number)
            if active is not None:
                active.began = time.monotonic()
                super()._say_started(active.task)
        if withdraw:
            for number, active in self._active.items():
                if self.server.is_queued(number):
                    self._end(number, active, State.INTERRUPTED, str(self.stopping))

    def _waiting(self) -> list[int]:
        return [number for number in self._active if self.server.is_queued(number)]

    def _attempt_ended(self, ended: Ended) -> None:
        if ended.report is not None and ended.report.elsewhere:
            task = self._active.pop(ended.number).task
            task.attempts -= 1
            self._leave_alone(task)
            return
        super()._attempt_ended(ended)

    def _is_ours_to_write(self, status: dict[str, Any]) -> bool:
        # Its machine may have seen the end of the attempt only, and not why this process wanted it.
        ended = status.get("state") in (State.KILLED, State.INTERRUPTED)
        by_its_machine = ended and self.server.owns(status.get("job"))
        return by_its_machine or super()._is_ours_to_write(status)


class RemoteLauncher(SupervisedLauncher):
    """A launcher whose runs are done on other machines, which share the sweep directory and the code with this one."""

    supervisor_class = RemoteSupervisor

    def __init__(self, environment: Iterable[str] = (), **options: Any) -> None:
        """environment: as `RemoteServer`; the others are the supervised launcher's."""
        super().__init__(**options)
        self.environment = tuple(environment)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra, once, before `launch`. Raises ConfigError where what it needs is not installed."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.check_installed()

    def warm_up(self, preload: Sequence[str] = ()) -> None:
        """Reach the scheduler."""
        assert self.hydra_context is not None
        if self.server is None:
            context = Context(self.hydra_context, self.task_function, Singleton.get_state())
            # The first entry, the script's folder, may be relative to the working directory.
            path = tuple(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - as the import system does
            shared = Shared(pickle_context(context), (*self.preload, *preload), tuple(sys.argv), path)
            self.server = self.make_server(shared)

    @abstractmethod
    def check_installed(self) -> None:
        """Raises ConfigError where what it needs is not installed."""

    @abstractmethod
    def make_server(self, shared: Shared) -> RemoteServer:
        """The server of this launcher. Raises ConfigError where the scheduler cannot be used."""
