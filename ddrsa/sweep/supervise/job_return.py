"""What Hydra's sweepers get for a run."""

from __future__ import annotations

from pathlib import Path

import cloudpickle
from hydra import version
from hydra.core.utils import JobReturn, JobRuntime, JobStatus
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from ddrsa.compat_hydra import set_returned
from ddrsa.errors import RunEnded
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.supervise.events import Outcome


class RunReturn(JobReturn):
    """The JobReturn of a run. Its configs are made when they are asked for: those of thousands of runs fill memory."""

    def __init__(self, run: PlannedRun, outcome: Outcome) -> None:
        self._run = run
        self.overrides = list(run.overrides)
        self.optional = run.optional
        self.task_name = JobRuntime.instance().get("name")
        completed = outcome.state.is_done
        self.status = JobStatus.COMPLETED if completed else JobStatus.FAILED
        set_returned(self, outcome.value if completed else outcome.error or RunEnded(outcome.reason or outcome.state))

    @property
    def cfg(self) -> DictConfig:  # type: ignore[override]
        """The config that the task got."""
        config = self._whole()
        with read_write(config), open_dict(config):
            del config["hydra"]
        return config

    @property
    def hydra_cfg(self) -> DictConfig:  # type: ignore[override]
        """The config of Hydra, under the key `hydra`."""
        return OmegaConf.masked_copy(self._whole(), "hydra")

    @property
    def working_dir(self) -> str:  # type: ignore[override]
        """Where the task ran."""
        chdir = self._whole().hydra.job.chdir
        if chdir is None:  # as `hydra.core.utils.run_job` reads it
            chdir = not version.base_at_least("1.2")
        return str(self._run.directory) if chdir else str(Path.cwd())

    def _whole(self) -> DictConfig:
        whole: DictConfig = cloudpickle.loads(self._run.composed)
        with read_write(whole.hydra.runtime), open_dict(whole.hydra.runtime):
            whole.hydra.runtime.output_dir = str(self._run.directory)
        return whole
