"""The task of Hydra. Importing this module makes the project's resolvers and schema known to Hydra.

Worker processes unpickle `run_task` by name, so they import this module too before they resolve a config.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from ddrsa import config as run_config
from ddrsa import resolvers
from ddrsa.checks import require
from ddrsa.cli import ending_the_command
from ddrsa.compat_hydra import trust_callback
from ddrsa.errors import ConfigError
from ddrsa.rundir.files import require_writable
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.scripts.listing import print_jobs
from ddrsa.scripts.options import scripts_options
from ddrsa.sweep.config import PLUGINS, SWEEPER_TARGET
from ddrsa.sweep.plan.selection import Selection
from ddrsa.sweep.process.cores import share_cores
from ddrsa.sweep.show.dry_run import print_run

resolvers.register()
run_config.register()
for _callback in (
    "task.CheckConfig",
    "tracking.callback.TrackSweep",
    "follow.report.ReportSweep",
    "notify.callback.NotifySweep",
):
    trust_callback(f"ddrsa.{_callback}")  # of conf/config.yaml


def run_task(config: DictConfig) -> float | None:
    """One run; returns its objective, lower is better: on the validation units, or what a script left."""
    if config.scripts is not None:
        from ddrsa.scripts.run import run_script

        return run_script(config, run_config.run_id(config))
    share_cores()
    # Here, because a process that only launches runs does not need torch.
    from ddrsa.run import run

    return run(config)


class CheckConfig(Callback):
    """Checks the config of a single run before Hydra makes its directory, and ends there with `dry_run=true`.

    A sweep does both in its sweeper. With `scripts.list=true` a sweep of scripts ends here as well.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        with ending_the_command():
            options = scripts_options(config)
            if options is not None and options.list:
                print_jobs(options, Selection(config.only, config.exclude, "scripts.job"))
                raise SystemExit(0)
            check_time_limit(config)

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        with ending_the_command():
            check_single_run(config)
            if config.dry_run:
                print_run(config)
                raise SystemExit(0)
            check_device(config)
            check_data(config)
            require_writable(Path(config.hydra.run.dir), "hydra.run.dir")


def check_device(config: DictConfig) -> None:
    """Raise ConfigError where torch cannot use the device of a single run, before it has a directory."""
    if config.scripts is None and config.device in ("cuda", "mps") and not _has_result(config):
        share_cores()
        from ddrsa.torch_device import require_torch_for

        require_torch_for(config.device)


def _has_result(config: DictConfig) -> bool:
    return TrainingDirectory(config.hydra.run.dir).test_metrics.exists()


def check_data(config: DictConfig) -> None:
    """Raise DataError or ConfigError where the data of a single run cannot be used, before it has a directory.

    What is read is in the cache then, and with it what the readers said, which stands in run.log as well.
    """
    if config.scripts is not None or _has_result(config):
        return
    # Here, because a sweep checks many configs and reads no data.
    from ddrsa.data.load import load_dataset

    checked = run_config.parse_config(config)
    load_dataset(
        asdict(checked.dataset),
        data_dir=checked.data_dir,
        cache_dir=checked.cache_dir,
        seed=checked.training.seed,
        num_folds=checked.num_folds,
        fold=checked.fold,
    )


def check_time_limit(config: DictConfig) -> None:
    """Raise ConfigError where a sweep has one, and a launcher that knows of none."""
    for key in ("deadline", "budget"):
        if config[key] is not None and not config.hydra.launcher._target_.startswith(PLUGINS):
            raise ConfigError(
                f"{key}={config[key]}: hydra/launcher=supervised, ray and slurm can keep it, this one cannot"
            )


def check_single_run(config: DictConfig) -> None:
    """Raise ConfigError where a value is not allowed, or is one of a sweep."""
    run_config.check_config(config)
    for name in ("sweep", "run"):
        directory = str(config.hydra[name].dir)
        require(f"hydra.{name}.dir", directory, directory != "", "a directory; . is this one")
    for key in ("only", "exclude", "zip"):
        if config[key]:
            raise ConfigError(f"{key}={config[key]}: it chooses among the runs of a sweep, which needs -m")
    for key in ("deadline", "budget"):
        if config[key] is not None:
            raise ConfigError(f"{key}={config[key]}: it is the time of a sweep, which needs -m")
    # Other sweepers come with parameters of their own, which stand in a config whether it is swept or not.
    if config.hydra.sweeper._target_ == SWEEPER_TARGET and config.hydra.sweeper.params:
        keys = ", ".join(map(str, config.hydra.sweeper.params))
        raise ConfigError(f"this is a sweep over {keys} and needs -m; hydra.sweeper.params=null makes it a single run")
