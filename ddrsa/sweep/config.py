"""Options of the launchers and of the sweeper of grids, as Hydra's config groups have them.

The groups themselves lie in `hydra_plugins.ddrsa_sweep`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Hydra instantiates plugins only by names that begin with hydra_plugins.
PLUGINS = "hydra_plugins.ddrsa_sweep.plugins"
SWEEPER_TARGET = f"{PLUGINS}.CheckedSweeper"

# The environment variable in which a search tells each of its jobs its trial, in `hydra.job.env_set`: the part of
# Hydra's config that any launcher lets a job change.
TRIAL_VARIABLE = "DDRSA_TRIAL"
REPEAT_VARIABLE = "DDRSA_REPEAT"  # and which of its repeats, where it has several


def trial_of(hydra: Any) -> int | None:
    """The number of the trial of a search that a job is, from its config of Hydra; None where it is none."""
    number = hydra.job.env_set.get(TRIAL_VARIABLE)
    return None if number is None else int(number)


def repeat_of(hydra: Any) -> int | None:
    """Which repeat of its trial a job is, from 0 on; None where a trial is one run."""
    number = hydra.job.env_set.get(REPEAT_VARIABLE)
    return None if number is None else int(number)


@dataclass
class CheckedSweeperConf:
    """The config of `hydra/sweeper: checked`."""

    _target_: str = SWEEPER_TARGET
    max_batch_size: int | None = None  # how many jobs the launcher gets at once, null: all
    params: dict[str, str] | None = field(
        default_factory=dict
    )  # overrides to sweep over, besides those of the command line
    check: str | None = None  # dotted path of a function(config) that raises ddrsa.errors.ConfigError
    only: str | None = None  # run only the jobs for which this expression over their config holds
    exclude: str | None = None  # and not those for which this one does
    zip: list[Any] = field(default_factory=list)  # keys whose values are paired, or lists of such keys
    dry_run: bool = False  # print what would be run, and write nothing
    name_key: str | None = None  # key of the config that names a job: only and exclude may be lists of such names
    describe: str | None = None  # dotted path of a function(PlannedRun) whose text the dry run shows
    objective_group: str | None = None  # this and the next two are options of a search, without effect on a grid
    max_steps: Any = "auto"
    comparable: str | None = None


@dataclass
class SupervisedLauncherConf:
    """The config of `hydra/launcher: supervised`."""

    _target_: str = f"{PLUGINS}.SupervisedLauncher"
    n_jobs: int | None = -1  # runs at once; -1: one per core, -2: one per core but one
    retries: int = 0  # attempts after the first at a run that failed or was killed
    timeout: float | None = None  # minutes for a run, all its attempts together; then it and its children are killed
    max_failures: int | None = None  # no new run starts when so many have failed
    deadline: str | None = None  # 18:00, or 2026-11-30T18:00: what would not be done by then does not start
    budget: str | None = None  # 6h, 90min: the same, from the start of the command on
    preload: list[str] = field(default_factory=list)  # modules that are imported once, for all runs
    identity: str | None = None  # dotted path of a function(config) that gives a run's id, else a hash of the config
    not_identity: list[str] = field(default_factory=list)  # top-level keys that do not change which run it is
    optional: bool = False  # a run that fails fails not the sweep; it and the timeout may differ from job to job
    observers: list[str] = field(default_factory=list)  # dotted paths of classes, see ddrsa.sweep.supervise.events
    rank_by: dict[str, str] = field(default_factory=dict)  # metrics of test_metrics.json, a.b, with their titles: the
    # first that a run has ranks the runs of the summary, the lowest first; the value that the task returns is the last
    value_name: str | None = None  # what the value is that the task returns: test.accuracy
    direction: str | None = None  # whether it is better low or high: minimize, maximize; null: as its name says
    comparable_by: str | None = None  # key of test_metrics.json, a.b; the summary ranks only runs with the same value
    kind_keys: list[str] = field(default_factory=list)  # top-level keys; runs that share them take about as long
    columns: dict[str, str] = field(default_factory=dict)  # numbers of status.json that the display shows, with titles
    packages: list[str] = field(default_factory=list)  # whose versions the manifest has, besides those of the sweep


@dataclass
class RayLauncherConf(SupervisedLauncherConf):
    """The config of `hydra/launcher: ray`."""

    _target_: str = f"{PLUGINS}.RayLauncher"
    n_jobs: int | None = None  # runs at once; null: as many as the cluster has room for when the sweep starts
    environment: list[str] = field(default_factory=list)  # variables that the runs get from here, besides DDRSA_*
    ray: dict[str, Any] = field(default_factory=lambda: {"init": {"address": None}, "remote": {"num_cpus": 1}})


@dataclass
class SlurmLauncherConf(SupervisedLauncherConf):
    """The config of `hydra/launcher: slurm`."""

    _target_: str = f"{PLUGINS}.SlurmLauncher"
    n_jobs: int | None = 256  # runs submitted at once
    environment: list[str] = field(default_factory=list)  # variables that the runs get from here, besides DDRSA_*
    submitit_folder: str = "${hydra.sweep.dir}/.submitit/%j"
    submitit: dict[str, Any] = field(default_factory=lambda: {"timeout_min": 60})  # of AutoExecutor.update_parameters
