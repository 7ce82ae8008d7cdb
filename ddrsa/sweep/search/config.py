"""Options of a search, by the names of hydra-optuna-sweeper.

The samplers and pruners are files in `hydra_plugins.ddrsa_sweep`. Optuna is not imported here: this module is read to
compose a config, also where nothing is searched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
    comparable: str | None = None  # dotted path of a function(config); trials for which it differs are not compared
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
    grid: bool = False  # search nothing: do the values that are given as a grid, with the other options as they are
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
