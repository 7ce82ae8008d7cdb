"""A Hydra sweeper that checks every job of a sweep before the first one starts."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, ListConfig, OmegaConf

from ddrsa.checks import require
from ddrsa.cli import telling_errors
from ddrsa.errors import ConfigError
from ddrsa.plain_values import PlainValues, does_take_plain_values, takes_plain_values
from ddrsa.rundir.files import atomic_write, make_directory, require_writable
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.sweep.config import CheckedSweeperConf
from ddrsa.sweep.dotted_path import find_object
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.grid import grid
from ddrsa.sweep.plan.planned_run import PlannedRun, adopt_sweep_dir, plan_runs
from ddrsa.sweep.plan.selection import Selection
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.process.cores import concurrent_runs
from ddrsa.sweep.show.dry_run import print_sweep
from ddrsa.sweep.supervise.failures import FailedRun, SweepFailed, failed_runs
from ddrsa.sweep.supervise.session import SessionLauncher
from ddrsa.texts import count_of

log = logging.getLogger(__name__)

# So many take a second or more.
MANY_JOBS = 1000


class CheckedSweeper(Sweeper):
    """Hydra's basic sweeper (the product of all comma-separated values), with these changes.

    Every job's config is composed and checked before a directory is made or a job is started. A failed job does not
    keep the jobs after it from running: all that failed are named at the end. Values can be paired (`zip`), jobs be
    selected by their config (`only`, `exclude`), and all of it be shown before it is done (`dry_run`).
    """

    # It cannot extend BasicSweeper: Hydra's search for plugins runs that module a second time, and the class that was
    # imported before is then no longer the one that its own `super(BasicSweeper, self)` means.

    def __init__(
        self,
        max_batch_size: int | None,
        params: Mapping[str, str] | None = None,
        check: str | None = None,
        only: str | None = None,
        exclude: str | None = None,
        zip: Sequence[Any] = (),  # the name of the key in the config
        dry_run: bool = False,
        name_key: str | None = None,
        describe: str | None = None,
        objective_group: str | None = None,  # noqa: ARG002 - as the next an option of searches; a project sets it for both
        max_steps: Any = None,  # noqa: ARG002
        comparable: str | None = None,  # noqa: ARG002
    ) -> None:
        """See `ddrsa.sweep.config.CheckedSweeperConf`."""
        self.max_batch_size = max_batch_size
        self.params = params or {}
        self.check = check
        self.only = only
        self.exclude = exclude
        self.zip: Any = OmegaConf.to_container(zip) if isinstance(zip, ListConfig) else zip
        self.dry_run = dry_run
        self.name_key = name_key
        self.describe = describe
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra, once, before `sweep`."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Run the jobs that `arguments` (the overrides of the command line) and `params` describe.

        Returns the launcher's results, batch by batch. Raises ConfigError before anything is written, and SweepFailed
        when all jobs have ended and some have failed.
        """
        with telling_errors():
            return self._sweep(arguments)

    def _sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        runs = self._plan(self._grid(arguments))
        if isinstance(self.launcher, SessionLauncher):
            runs = without_doubles(runs)
        sweep_dir = Path(self.config.hydra.sweep.dir)
        if self.dry_run:
            describe = None if self.describe is None else find_object("hydra.sweeper.describe", self.describe)
            shown = Presentation.of(self.config.hydra.launcher)
            print_sweep(runs, sweep_dir.absolute(), concurrent_runs(self.config.hydra), shown, describe)
            return []

        require_writable(sweep_dir, "hydra.sweep.dir")
        make_directory(sweep_dir, sweep_dir)
        with atomic_write(sweep_dir / CONFIG) as stream:
            OmegaConf.save(self.config, stream)

        returns: list[Sequence[JobReturn]] = []
        failures: list[FailedRun] = []
        launched = 0
        size = self.max_batch_size or len(runs)
        for batch in (runs[start : start + size] for start in range(0, len(runs), size)):
            if isinstance(self.launcher, SessionLauncher):
                results = self.launcher.launch_runs(batch)
            else:
                results = self.launcher.launch([list(run.overrides) for run in batch], initial_job_idx=launched)
            launched += len(batch)
            returns.append(results)
            failures += failed_runs(results)
        if failures:
            raise SweepFailed(failures, launched) from failures[0].error
        return returns

    def _grid(self, arguments: list[str]) -> list[list[str]]:
        """The overrides of each job."""
        assert self.hydra_context is not None
        size = self.max_batch_size
        require("hydra.sweeper.max_batch_size", size, size is None or size >= 1, "1 or more, or null")
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        params = [f"{key}={value}" for key, value in self.params.items()]
        return grid(parser.parse_overrides([*params, *arguments]), self.zip)

    def _plan(self, jobs: Sequence[list[str]]) -> list[PlannedRun]:
        """Compose each job's config once, leave out what is not wanted, and hand the others to the check."""
        assert self.config is not None
        assert self.hydra_context is not None
        started = time.perf_counter()
        selection = Selection(self.only, self.exclude, self.name_key)
        check = None if self.check is None else find_object("hydra.sweeper.check", self.check)
        if len(jobs) > MANY_JOBS:
            log.info("composing and checking the configs of %s", count_of(len(jobs), "run"))
        shared = set(jobs[0]).intersection(*jobs)

        def wanted(config: DictConfig | PlainValues, overrides: Sequence[str]) -> bool:
            own = [override for override in overrides if override not in shared]
            if not isinstance(config, PlainValues):  # of those the first has been checked
                self._check_params(own)
            if not selection.wants(config, own):
                return False
            if check is not None:
                check(config)
            return True

        if check is None or does_take_plain_values(check):
            takes_plain_values(wanted)

        composer = Composer(self.config, self.hydra_context.config_loader)
        takes_runs = isinstance(self.launcher, SessionLauncher)
        if takes_runs:
            adopt_sweep_dir(composer, [override for override in jobs[0] if override in shared])
        runs = plan_runs(composer, jobs, wanted=wanted)
        selection.check_keys()
        if not runs:
            raise ConfigError(f"{selection} leaves none of {count_of(len(jobs), 'run')}")
        if selection:
            log.info("%d of %s selected by %s", len(runs), count_of(len(jobs), "run"), selection)
        log.debug("planned %d jobs in %.2f s", len(jobs), time.perf_counter() - started)
        return runs

    def _check_params(self, overrides: Sequence[str]) -> None:
        """Raise ConfigError where the job that `HydraConfig` shows has a grid of its own, which nobody would run."""
        own = HydraConfig.get().sweeper.get("params") or {}
        if own != self.params:
            raise ConfigError(
                f"{' '.join(overrides)} brings values to sweep over (hydra.sweeper.params: {', '.join(own)}): "
                "it cannot be one of the values of a sweep itself, give one at a time"
            )


def as_grid(options: Mapping[str, Any]) -> CheckedSweeper:
    """The sweeper of grids in the place of one that chooses, by what the `options` of that one say to both.

    A file of an app's config may say that it is a search: this is how the same file is swept over a few values.
    """
    known = {each.name for each in fields(CheckedSweeperConf)} - {"_target_"}
    log.info("hydra.sweeper.grid=true: the values are done as a grid, nothing is chosen among them")
    return CheckedSweeper(**{"max_batch_size": None, **{key: options[key] for key in options if key in known}})


def without_doubles(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The first of each identity: the others would only wait for its result, and tie with it in a race."""
    unique = {run.identity: run for run in reversed(runs)}
    kept = [run for run in runs if unique[run.identity] is run]
    if len(kept) < len(runs):
        log.info("%s the same as another, and left out", count_of(len(runs) - len(kept), "job is", "jobs are"))
    return kept
