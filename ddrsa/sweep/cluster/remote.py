"""Runs on machines that a scheduler chooses: the launcher's side of `ddrsa.sweep.cluster.node`."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from ddrsa.rundir.claims import release_dead
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State, is_lost
from ddrsa.sweep.cluster.node import Shared, node_environment
from ddrsa.sweep.launcher import SupervisedLauncher
from ddrsa.sweep.process.attempt import AttemptSpec, Report
from ddrsa.sweep.process.attempt_server import Ended

# How often to look which jobs of the queue have begun: of each a file is read, from a network disk.
LOOK_AT_QUEUE_SECONDS = 2.0


@dataclass(frozen=True)
class Submitted:
    """An attempt that the scheduler has. name: the same is in the `job` of the run's status.json once it has begun."""

    number: int
    name: str
    spec: AttemptSpec


class RemoteServer(ABC):
    """An `AttemptServer` that hands the attempts to a scheduler. The run's machine claims the run, when it begins."""

    look_seconds = 5.0  # a job that only finds the run taken costs the scheduler something

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

    def is_ready(self, timeout: float) -> bool:  # noqa: ARG002
        """See `AttemptServer`."""
        return True

    def claim(self, directory: Path) -> bool:
        """See `AttemptServer`: False where its status says that another process has it."""
        status = RunDirectory(directory).status_or_empty()
        return status.get("state") != State.RUNNING or is_lost(directory, status)

    def release(self, directory: Path) -> None:  # noqa: B027 - as above
        """See `AttemptServer`: its machine lets it go."""

    def start(self, spec: AttemptSpec) -> int:
        """See `AttemptServer`."""
        self._last_number += 1
        number = self._last_number
        name = f"{self._identity}-{number}"
        spec = replace(spec, environ={**spec.environ, **self._environ}, notes={"launcher": self.launcher})
        self._queued[number] = Submitted(number, name, spec)
        self.submit(self._queued[number])
        return number

    def queued(self, *, at_once: bool = False) -> Collection[int]:
        """See `AttemptServer`; what has begun is known a little later, unless `at_once`."""
        if at_once or time.monotonic() >= self._next_look:
            for number in [number for number, submitted in self._queued.items() if self._has_begun(submitted)]:
                del self._queued[number]
            self._next_look = time.monotonic() + LOOK_AT_QUEUE_SECONDS
        return self._queued.keys()

    def waiting(self) -> Collection[int]:
        """The attempts in the scheduler's queue."""
        return self._queued.keys()

    def wrote(self, status: dict[str, Any]) -> bool:
        """See `AttemptServer`: its machine sees the end of an attempt only, and not why this process wanted it."""
        ended = status.get("state") in (State.KILLED, State.INTERRUPTED)
        return ended and str(status.get("job")).startswith(self._identity)

    def _ended(self, submitted: Submitted, report: Report) -> Ended:
        self._queued.pop(submitted.number, None)
        if report.state is State.KILLED:
            release_dead(submitted.spec.directory, submitted.name)
        return Ended(submitted.number, 0, report, 0)

    def _has_begun(self, submitted: Submitted) -> bool:
        return RunDirectory(submitted.spec.directory).status_or_empty().get("job") == submitted.name


class RemoteLauncher(SupervisedLauncher):
    """A launcher whose runs are done on other machines, which share the sweep directory and the code with this one."""

    runs_here = False

    def __init__(self, environment: Iterable[str] = (), **options: Any) -> None:
        """environment: as `RemoteServer`; the others are the supervised launcher's."""
        super().__init__(**options)
        self.environment = tuple(environment)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra, once, before `launch`. Raises ConfigError where what it needs is not installed."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.check_installed()

    def make_server(self, preload: Sequence[str]) -> RemoteServer:
        """See `SupervisedLauncher`."""
        # The first entry, the script's folder, may be relative to the working directory.
        path = tuple(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - as the import system does
        return self.connect(Shared(self.pickled_context(), tuple(preload), tuple(sys.argv), path))

    @abstractmethod
    def check_installed(self) -> None:
        """Raises ConfigError where what it needs is not installed."""

    @abstractmethod
    def connect(self, shared: Shared) -> RemoteServer:
        """Reach the scheduler. Raises ConfigError where the scheduler cannot be used."""
