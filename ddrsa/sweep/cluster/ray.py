"""`hydra/launcher=ray`: the supervised launcher with its runs on a Ray cluster."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.extras import needed
from ddrsa.rundir.reasons import OUT_OF_HOST_MEMORY, reason_of_exception
from ddrsa.rundir.states import State
from ddrsa.sweep.cluster.node import Shared, given_resources, perform
from ddrsa.sweep.cluster.remote import RemoteLauncher, RemoteServer, Submitted
from ddrsa.sweep.gpu.lease import WHOLE_VARIABLE
from ddrsa.sweep.process.attempt import AttemptSpec, Report
from ddrsa.sweep.process.attempt_server import Ended

log = logging.getLogger(__name__)

# A node ends a run within a few seconds of being asked; then its worker is killed.
SECONDS_TO_CANCEL = 15.0
SECONDS_TO_CONNECT = 10.0


class RayLauncher(RemoteLauncher):
    """Runs the jobs of a sweep as tasks of a Ray cluster."""

    def __init__(self, ray: Mapping[str, Any], n_jobs: int | None = None, **options: Any) -> None:
        """See `ddrsa.sweep.config.RayLauncherConf`."""
        super().__init__(n_jobs=n_jobs, **options)
        self.n_jobs = n_jobs
        settings: Any = OmegaConf.to_container(OmegaConf.create(dict(ray)), resolve=True)
        self.init: dict[str, Any] = settings.get("init") or {}
        self.remote: dict[str, Any] = settings.get("remote") or {}

    def check_installed(self) -> None:
        """See `RemoteLauncher`."""
        import_ray()

    def connect(self, shared: Shared) -> RayServer:
        """Connect to the cluster. Raises ConfigError where that cannot be done."""
        ray = import_ray()
        if not ray.is_initialized():
            # What the workers print stays out of the display of the sweep; the runs' output is in their directories.
            quiet = {"log_to_driver": False, "logging_level": logging.WARNING, "include_dashboard": False}
            if self.init.get("address") is not None:
                del quiet["include_dashboard"]
            _check_reachable(str(self.init.get("address")))
            try:
                ray.init(**{**quiet, **self.init})
            except (ConnectionError, RuntimeError, ValueError, TypeError) as error:
                raise ConfigError(f"the Ray cluster cannot be used (hydra.launcher.ray.init): {error}") from error
        resources = ray.cluster_resources()
        request = {"num_cpus": 1, **self.remote}
        if request.get("num_gpus") is not None and not resources.get("GPU"):
            del request["num_gpus"]
        if self.n_jobs is None:
            self.max_jobs = _room(resources, request)
        log.info("the Ray cluster has %g cores and %g GPUs", resources.get("CPU", 0), resources.get("GPU", 0))
        try:
            return RayServer(shared, self.environment, request)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"Ray does not take hydra.launcher.ray.remote={self.remote}: {error}") from error


class RayServer(RemoteServer):
    """Attempts as tasks of Ray."""

    def __init__(self, shared: Shared, environment: tuple[str, ...], request: dict[str, Any]) -> None:
        """request: the options of `ray.remote`."""
        super().__init__("ray", shared, environment)
        self.ray = import_ray()
        # A node that dies has its runs tried again by the supervisor, as one that failed otherwise.
        self._remote = self.ray.remote(**{**request, "max_retries": 0})(perform_on_ray)
        self._num_gpus = float(request.get("num_gpus") or 0)
        self._shared = self.ray.put(shared)
        self._tasks: dict[Any, Submitted] = {}
        self._asked: dict[int, float] = {}  # number of an attempt -> when it was asked to end

    def submit(self, submitted: Submitted) -> None:
        """See `RemoteServer`."""
        remote = self._remote
        if 0 < self._num_gpus < 1 and WHOLE_VARIABLE in submitted.spec.environ:
            remote = remote.options(num_gpus=1)
        self._tasks[remote.remote(self._shared, submitted.spec, submitted.name)] = submitted

    def events(self, timeout: float) -> list[Ended]:
        """See `AttemptServer`."""
        waiting = list(self._tasks)
        ready, _ = self.ray.wait(waiting, num_returns=1, timeout=timeout)
        if ready:
            ready, _ = self.ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [self._ended(self._tasks.pop(task), self._report(task)) for task in ready]

    def kill(self, number: int, signal_number: signal.Signals) -> None:  # noqa: ARG002 - Ray has its own two ways
        """See `AttemptServer`."""
        asked = number in self._asked
        late = time.monotonic() > self._asked.setdefault(number, time.monotonic()) + SECONDS_TO_CANCEL
        for task, submitted in self._tasks.items():
            if submitted.number == number and (late or not asked):
                self.ray.cancel(task, force=late)

    def close(self) -> None:
        """See `AttemptServer`."""
        for task in self._tasks:
            self.ray.cancel(task)
        self._tasks.clear()

    def _report(self, task: Any) -> Report:
        errors = self.ray.exceptions
        try:
            report: Report = self.ray.get(task)
        except errors.TaskCancelledError:
            return Report(State.KILLED, "its task of Ray was cancelled")
        except errors.OutOfMemoryError:
            return Report(State.KILLED, f"{OUT_OF_HOST_MEMORY}: Ray killed it, its node had hardly any left")
        except (errors.NodeDiedError, errors.LocalRayletDiedError, errors.WorkerCrashedError) as error:
            return Report(State.KILLED, f"its node or its worker of Ray died ({type(error).__name__})")
        except errors.RayError as error:
            cause = getattr(error, "cause", None) or error
            return Report(State.FAILED, reason_of_exception(cause))
        return report


def import_ray() -> Any:
    """The module `ray`. Raises UsageError where it is not installed."""
    return needed("ray", "hydra/launcher=ray")


def _check_reachable(address: str) -> None:
    """Raises ConfigError where nobody answers at `host:port`: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"hydra.launcher.ray.init.address={address}: no Ray cluster answers there ({error})"
        ) from error


def perform_on_ray(shared: Shared, spec: AttemptSpec, name: str) -> Report:
    """The task that runs in a worker of Ray."""
    context = import_ray().get_runtime_context()
    gpus = context.get_accelerator_ids().get("GPU", [])
    assigned = context.get_assigned_resources()
    cores, share = max(int(assigned.get("CPU", 1)), 1), assigned.get("GPU", 0)
    return perform(shared, spec, name, given_resources(",".join(map(str, gpus)), cores, shared=0 < share < 1))


def _room(resources: Mapping[str, float], request: Mapping[str, Any]) -> int:
    """How many runs a cluster with these resources has room for, at least 1."""
    wanted = {"CPU": request.get("num_cpus"), "GPU": request.get("num_gpus"), **(request.get("resources") or {})}
    rooms = [resources.get(name, 0) / amount for name, amount in wanted.items() if amount]
    return max(int(min(rooms, default=1)), 1)
