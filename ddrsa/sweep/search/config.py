"""Options of a search, its samplers and its pruners as Hydra's config groups, by the names of hydra-optuna-sweeper.

Optuna is not imported here: Hydra imports this module for every command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from ddrsa.checks import require
from ddrsa.errors import ConfigError
from ddrsa.sweep.config import PLUGINS


@dataclass
class OptunaSweeperConf:
    """The options of a search: the schema of `hydra/sweeper: optuna`, and its values. docs/search.md explains the keys.

    OmegaConf has no type for "a text or a list of texts": such keys are `Any`, and `check_values` looks at them.
    """

    _target_: str = f"{PLUGINS}.OptunaSweeper"
    _recursive_: bool = False  # the sampler, the pruner and the storage are made when the search starts
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "tpe"}, {"pruner": "median"}])
    sampler: Any = MISSING
    pruner: Any = MISSING
    direction: Any = "minimize"  # minimize or maximize, or a list of them, one for each objective
    objective: Any = None  # a metric of test_metrics.json, or a list; null: the value that the task returns
    objective_group: str | None = None  # the group of test_metrics.json whose metrics an objective prefers
    max_steps: Any = "auto"  # the most values that a trial reports; auto: as many as the first trial has reported
    repeats: int = 1  # runs of a trial, one after another; its value is the mean of theirs
    repeat_key: str = "seed"  # the key in which they differ: its value, and the next ones
    migrate: bool = False  # where the study is of another space: go on with the trials that fit, and keep a copy of it
    n_trials: int = 20  # trials of the study, those of earlier starts too
    n_jobs: int | None = None  # trials at once; null: as many as the launcher runs at once
    max_failure_rate: float = 0.5  # no new trial starts when more of n_trials than this share have failed
    storage: Any = None  # URL of a database, path of a journal file; null: study.journal in the sweep directory
    study_name: str | None = None
    params: dict[str, Any] | None = None  # overrides, as on the command line, which goes before
    search_space: dict[str, Any] | None = None  # the older form of params: {x: {type: float, low: 0, high: 1}}
    custom_search_space: str | None = None  # dotted path of a function(config, trial)
    enqueue: list[Any] = field(default_factory=list)  # values of parameters, {learning_rate: 0.001}, tried first
    check: str | None = None  # dotted path of a function(config) that raises ddrsa.errors.ConfigError
    dry_run: bool = False  # print what would be searched, and write nothing
    # Options of a grid. A project's config sets them for whichever sweeper is chosen (conf/config.yaml: only: ${only}),
    # and Hydra would refuse every search there if the keys were not here. A value of one of the first three is refused:
    # a search would do the runs that it excludes. The other two have no effect.
    only: str | None = None
    exclude: str | None = None
    zip: list[Any] = field(default_factory=list)
    name_key: str | None = None
    describe: str | None = None

    @property
    def directions(self) -> list[str]:
        """`direction` of each objective."""
        return self.direction if isinstance(self.direction, list) else [self.direction]

    def check_values(self) -> None:
        """Raise ConfigError on a value that is not allowed."""
        self._require("n_trials", self.n_trials >= 1, "1 or more")
        self._require("n_jobs", self.n_jobs is None or self.n_jobs >= 1, "1 or more, or null")
        self._require("max_failure_rate", 0 <= self.max_failure_rate <= 1, "0 to 1")
        self._require("repeats", self.repeats >= 1, "1 or more")
        directions = self.directions
        holds = bool(directions) and all(each in ("minimize", "maximize") for each in directions)
        self._require("direction", holds, "minimize or maximize, or a list of them")
        if isinstance(self.objective, list) and len(self.objective) != len(directions):
            raise ConfigError(
                f"hydra.sweeper.objective={self.objective} names {len(self.objective)}, and hydra.sweeper.direction "
                f"has {len(directions)}: each objective needs its direction"
            )
        if isinstance(self.objective, str) and len(directions) > 1:
            raise ConfigError(
                f"hydra.sweeper.objective={self.objective} is one objective for {len(directions)} directions"
            )
        holds = all(isinstance(values, dict) for values in self.enqueue)
        self._require("enqueue", holds, "a list such as [{learning_rate: 0.001, batch_size: 64}]")
        for key in ("only", "exclude", "zip"):
            if value := getattr(self, key):
                raise ConfigError(
                    f"hydra.sweeper.{key}={value}: it chooses among the runs of a grid; a search takes "
                    "hydra.sweeper.custom_search_space"
                )

    def _require(self, key: str, holds: bool, allowed: str) -> None:
        require(f"hydra.sweeper.{key}", getattr(self, key), holds, allowed)


# Keys with null are left to Optuna, whose defaults change from version to version; they stand here so that the command
# line can set them. With a seed, and one trial at a time, a search always chooses the same values.
SAMPLERS: dict[str, dict[str, Any]] = {
    "tpe": {
        "_target_": "optuna.samplers.TPESampler",
        "seed": None,
        "n_startup_trials": 10,  # at random, before there is something to learn from
        "n_ei_candidates": 24,  # drawn for each value; the one with the highest expected improvement is taken
        "multivariate": None,
        "group": None,
        "constant_liar": True,  # concurrent trials keep away from each other
        "consider_prior": None,
        "prior_weight": None,
        "consider_magic_clip": None,
        "consider_endpoints": None,
        "warn_independent_sampling": None,
    },
    "random": {"_target_": "optuna.samplers.RandomSampler", "seed": None},
    # Partial: its grid is known only when the overrides are read. The seed shuffles the order.
    "grid": {"_target_": "optuna.samplers.GridSampler", "_partial_": True, "seed": None},
    "cmaes": {
        "_target_": "optuna.samplers.CmaEsSampler",
        "seed": None,
        "x0": None,
        "sigma0": None,
        "n_startup_trials": None,
        "independent_sampler": None,
        "warn_independent_sampling": None,
        "consider_pruned_trials": None,
        "restart_strategy": None,
        "inc_popsize": None,
        "use_separable_cma": None,
        "source_trials": None,
    },
    "nsgaii": {
        "_target_": "optuna.samplers.NSGAIISampler",
        "seed": None,
        "population_size": 50,  # trials of a generation; the first generation is random
        "mutation_prob": None,
        "crossover_prob": 0.9,  # probability of two parents; else a trial is a mutated copy of one
        "swapping_prob": 0.5,  # probability of each parameter to come from the second parent
        "constraints_func": None,
    },
    "gp": {"_target_": "optuna.samplers.GPSampler", "seed": None, "n_startup_trials": 10},  # the first are random
    "qmc": {
        "_target_": "optuna.samplers.QMCSampler",
        "seed": None,
        "qmc_type": "sobol",  # or halton
        "scramble": False,  # true: the sequence depends on the seed
    },
    # Optuna's TPESampler does what its MOTPESampler did.
    "motpe": {"_target_": "optuna.samplers.TPESampler", "seed": None, "n_startup_trials": 10, "constant_liar": True},
}

# hydra-optuna-sweeper has these as well.
SAMPLERS_OF_BOTH = ("tpe", "random", "grid", "cmaes", "nsgaii", "motpe")

# A step is the number that the task reports a value with, such as an epoch.
PRUNERS: dict[str, dict[str, Any]] = {
    "none": {"_target_": "optuna.pruners.NopPruner"},
    "median": {
        "_target_": "optuna.pruners.MedianPruner",
        "n_startup_trials": 5,  # trials that have to end before anything is pruned
        "n_warmup_steps": 2,  # steps at the beginning of each trial that prune nothing
        "interval_steps": 1,  # steps from one decision to the next
        "n_min_trials": 1,  # trials that have to have a value at a step before it prunes anything
    },
    "percentile": {
        "_target_": "optuna.pruners.PercentilePruner",
        "percentile": 25.0,  # the best share of the trials at a step, in %: they go on. The other keys as for median
        "n_startup_trials": 5,
        "n_warmup_steps": 2,
        "interval_steps": 1,
        "n_min_trials": 1,
    },
    "successive_halving": {
        "_target_": "optuna.pruners.SuccessiveHalvingPruner",
        "min_resource": 1,  # steps before the first decision
        "reduction_factor": 4,  # the best 1 of so many goes on, for so many times as many steps
        "min_early_stopping_rate": 0,  # delays the first decision by reduction_factor to this power
        "bootstrap_count": 0,  # trials that must reach a decision before any goes on from it
    },
    "hyperband": {
        "_target_": "optuna.pruners.HyperbandPruner",
        "min_resource": 1,  # as for successive_halving, which it does in several brackets
        "max_resource": "${oc.select:hydra.sweeper.max_steps,auto}",  # the whole budget
        "reduction_factor": 3,
        "bootstrap_count": 0,
    },
    "patient": {
        "_target_": "optuna.pruners.PatientPruner",
        "wrapped_pruner": None,  # the config of another, which is asked only then; null: a trial is pruned at once
        "patience": 3,  # steps without an improvement
        "min_delta": 0.0,  # what counts as one
    },
    "wilcoxon": {
        "_target_": "optuna.pruners.WilcoxonPruner",  # a step is a repeat of the trial, compared with that of the best
        "p_threshold": None,  # null: 0.1, or where so few repeats cannot reach it, what they can
        "n_startup_steps": 2,  # repeats that prune nothing
    },
    "threshold": {
        "_target_": "optuna.pruners.ThresholdPruner",
        "lower": None,  # a value below it is pruned; one of the two has to be given
        "upper": None,  # a value above it is pruned
        "n_warmup_steps": 0,
    },
}


def store_groups(beside_the_other: bool = False) -> None:
    """Make `hydra/sweeper: optuna`, its samplers and its pruners known to Hydra.

    It is `ddrsa_optuna` too, and that alone `beside_the_other`, hydra-optuna-sweeper, where that is installed: there
    `optuna` and the samplers that both have are the other's, whose options this sweeper understands.
    """
    store = ConfigStore.instance()
    names = ["ddrsa_optuna"] if beside_the_other else ["ddrsa_optuna", "optuna"]
    store.store(group="hydra/sweeper", name="optuna_defaults", node=OptunaSweeperConf, provider="ddrsa")
    for name in names:
        extends = {"defaults": ["optuna_defaults", "_self_"]}
        store.store(group="hydra/sweeper", name=name, node=extends, provider="ddrsa")
    for group, nodes in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        for name, node in nodes.items():
            if not (beside_the_other and group == "sampler" and name in SAMPLERS_OF_BOTH):
                store.store(group=f"hydra/sweeper/{group}", name=name, node=node, provider="ddrsa")
