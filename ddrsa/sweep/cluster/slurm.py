"""`hydra/launcher=slurm`: the supervised launcher with its runs as jobs of Slurm."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.extras import needed
from ddrsa.rundir.reasons import OUT_OF_HOST_MEMORY
from ddrsa.rundir.states import State
from ddrsa.sweep.cluster.compat_submitit import outcome_and_result
from ddrsa.sweep.cluster.job_folder import make_job_folder
from ddrsa.sweep.cluster.node import Shared, given_resources, perform
from ddrsa.sweep.cluster.remote import RemoteLauncher, RemoteServer, Submitted
from ddrsa.sweep.process.attempt import AttemptSpec, Report
from ddrsa.sweep.process.attempt_server import Ended
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

# How often Slurm's controller is asked: on a large cluster it has many to answer.
POLL_SECONDS = 5.0
# The result of a job that has ended may come to this machine later than the news of it, over a network disk.
SECONDS_FOR_RESULT = 30.0
# In these states a job has not ended: `squeue` gives them as they stand here.
UNDER_WAY = ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT")
REQUEUED = ("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESIZING", "PREEMPTED")


class SlurmLauncher(RemoteLauncher):
    """Runs the jobs of a sweep as elements of job arrays."""

    def __init__(self, submitit: Mapping[str, Any], submitit_folder: str, n_jobs: int | None = 256, **options: Any):
        """See `ddrsa.sweep.config.SlurmLauncherConf`."""
        super().__init__(n_jobs=n_jobs, **options)
        settings: Any = OmegaConf.to_container(OmegaConf.create(dict(submitit)), resolve=True)
        self.settings: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
        self.folder = Path(submitit_folder).absolute()

    def check_installed(self) -> None:
        """See `RemoteLauncher`."""
        import_submitit()

    def connect(self, shared: Shared) -> SlurmServer:
        """Raises ConfigError where Slurm cannot be used, or a setting is not known."""
        submitit = import_submitit()
        settings = {"slurm_array_parallelism": self.max_jobs, **self.settings}
        retries = settings.pop("slurm_max_num_timeout", 0)
        folder = make_job_folder(self.folder, "hydra.launcher.submitit_folder")
        try:
            executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=retries)
            executor.update_parameters(**settings)
        except (RuntimeError, NameError, TypeError, AssertionError, ValueError) as error:
            raise ConfigError(f"Slurm cannot be used (hydra.launcher.submitit): {error}") from error
        return SlurmServer(shared, self.environment, executor)


@dataclass
class _InSlurm:
    submitted: Submitted
    job: Any  # submitit's
    gone_since: float | None = None  # when it was first seen to have ended without a result


class SlurmServer(RemoteServer):
    """Attempts as jobs of Slurm. They go on when this process is killed, and write their results themselves."""

    def __init__(self, shared: Shared, environment: tuple[str, ...], executor: Any) -> None:
        super().__init__("slurm", shared, environment)
        self.executor = executor
        self._unsubmitted: list[Submitted] = []
        self._withdrawn: list[Submitted] = []
        self._jobs: dict[int, _InSlurm] = {}
        self._next_poll = 0.0
        self._states: dict[str, str] | None = None

    def submit(self, submitted: Submitted) -> None:
        """See `RemoteServer`: those that come together are one job array."""
        self._unsubmitted.append(submitted)

    def events(self, timeout: float) -> list[Ended]:
        """See `AttemptServer`."""
        self._submit_all()
        deadline = time.monotonic() + timeout
        while True:
            if time.monotonic() >= self._next_poll:
                self._states = _states_in_queue()
                self._next_poll = time.monotonic() + POLL_SECONDS
            ended = [self._ended(one, Report(State.KILLED, "it was not submitted")) for one in self._withdrawn]
            self._withdrawn.clear()
            for one, report in [(one, self._report(one)) for one in self._jobs.values()]:
                if report is not None:
                    ended.append(self._ended(one.submitted, report))
                    del self._jobs[one.submitted.number]
            if ended or time.monotonic() >= deadline:
                return ended
            time.sleep(min(0.2, timeout))

    def kill(self, number: int, signal_number: signal.Signals) -> None:
        """See `AttemptServer`."""
        if number in self._jobs and signal_number == signal.SIGTERM:
            self._jobs[number].job.cancel(check=False)
        self._withdrawn += [one for one in self._unsubmitted if one.number == number]
        self._unsubmitted = [one for one in self._unsubmitted if one.number != number]

    def close(self) -> None:
        """See `AttemptServer`."""
        for one in self._jobs.values():
            one.job.cancel(check=False)
        self._jobs.clear()

    def _submit_all(self) -> None:
        if not self._unsubmitted:
            return
        submitted, self._unsubmitted = self._unsubmitted, []
        try:
            with self.executor.batch():
                jobs = [self.executor.submit(SlurmJob(), self.shared, one.spec, one.name) for one in submitted]
        except Exception as error:
            raise ConfigError(f"sbatch did not take the jobs: {_last_line(error)}") from error
        self._jobs.update((one.number, _InSlurm(one, job)) for one, job in zip(submitted, jobs, strict=True))
        log.info("%s submitted to Slurm: %s", count_of(len(jobs), "job"), jobs[0].job_id.partition("_")[0])

    def _report(self, one: _InSlurm) -> Report | None:
        """None while the job has not ended."""
        if one.job.paths.result_pickle.exists():
            outcome, result = outcome_and_result(one.job)
            return result if outcome == "success" else _report_of_error(_last_line(result))
        if self._states is None:  # the controller did not answer
            return None
        state = self._states.get(one.job.job_id, "ended")
        if state in UNDER_WAY or state in REQUEUED:
            one.gone_since = None
            return None
        instant = time.monotonic()
        one.gone_since = one.gone_since or instant
        # Where Slurm says how it was ended, no result will come.
        if state in ("ended", "COMPLETED") and instant < one.gone_since + SECONDS_FOR_RESULT:
            return None
        return _report_of_state(state)


class SlurmJob:
    """What a job of Slurm does. Its class is what submitit asks whether it can go on after it was stopped."""

    def __call__(self, shared: Shared, spec: AttemptSpec, name: str) -> Report:
        cores = int(os.environ.get("SLURM_CPUS_PER_TASK") or os.environ.get("SLURM_CPUS_ON_NODE") or 1)
        given = any(os.environ.get(variable) for variable in ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS"))
        # Where Slurm does not hand out the GPUs, those that it leaves visible are leased as on any machine.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "") if given else None
        return perform(shared, spec, name, given_resources(visible, cores))

    def checkpoint(self, *arguments: Any) -> Any:
        """Called by submitit before Slurm ends the job for its time, or for another: the same again."""
        return import_submitit().helpers.DelayedSubmission(self, *arguments)


def import_submitit() -> Any:
    """The module `submitit`. Raises UsageError where it is not installed."""
    return needed("submitit", "hydra/launcher=slurm")


def _states_in_queue() -> dict[str, str] | None:
    """The state of each job of this user that the controller remembers; None where it does not answer.

    `squeue` alone is asked: `sacct` knows nothing on a cluster without a database of its accounts.
    """
    command = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("squeue does not answer: %s", error)
        return None
    return dict(line.strip().split("|") for line in answer.splitlines() if "|" in line)


def _report_of_error(error: str) -> Report:
    # Submitit raises that in the job which has used up its attempts.
    return Report(State.TIMED_OUT if "timed-out" in error else State.FAILED, error)


def _report_of_state(state: str) -> Report:
    if state == "TIMEOUT":
        return Report(State.TIMED_OUT, "it took longer than Slurm's limit (hydra.launcher.submitit.timeout_min)")
    if state == "OUT_OF_MEMORY":
        return Report(State.KILLED, f"{OUT_OF_HOST_MEMORY}: Slurm ended the job ({state})")
    return Report(State.KILLED, f"its job of Slurm ended without a result (state {state})")


def _last_line(error: Any) -> str:
    lines = [line.strip() for line in str(getattr(error, "stderr", None) or error).splitlines() if line.strip()]
    return lines[-1].removeprefix("sbatch: error: ") if lines else type(error).__name__
