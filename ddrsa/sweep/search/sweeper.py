"""`hydra/sweeper=optuna`: Hydra's sweeper plugin around the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, ListConfig, OmegaConf

from ddrsa.errors import ConfigError


class OptunaSweeper(Sweeper):
    """Lets Optuna choose the values of each job, as the jobs before it have ended.

    Under the supervised launcher the next job starts as soon as one ends; under any other, batch after batch.
    """

    # Optuna is imported only when a search starts: Hydra imports this module for every command.

    def __init__(self, **options: Any) -> None:
        """See `ddrsa.sweep.search.config.OptunaSweeperConf`. Raises ConfigError on values that are not allowed."""
        self.options: dict[str, Any] = {
            key: OmegaConf.to_container(value, resolve=True) if isinstance(value, DictConfig | ListConfig) else value
            for key, value in options.items()
        }
        self._check_options()
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

    def sweep(self, arguments: list[str]) -> None:
        """Search the space that `arguments` (the overrides of the command line) and `params` describe.

        Raises ConfigError before anything is written; SweepFailed when all has ended and trials have failed;
        SweepInterrupted after a signal.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        from ddrsa.sweep.search.search import Search

        Search(self.options, self.config, self.hydra_context, self.launcher).run(arguments)

    def _check_options(self) -> None:
        options = self.options
        self._require("n_trials", options["n_trials"] >= 1, "1 or more")
        self._require("n_jobs", options["n_jobs"] is None or options["n_jobs"] != 0, "1 or more, or null")
        self._require("max_failure_rate", 0 <= options["max_failure_rate"] <= 1, "0 to 1")
        directions = options["direction"] if isinstance(options["direction"], list) else [options["direction"]]
        holds = bool(directions) and all(each in ("minimize", "maximize") for each in directions)
        self._require("direction", holds, "minimize or maximize, or a list of them")
        objectives = options["objective"]
        if isinstance(objectives, list) and len(objectives) != len(directions):
            raise ConfigError(
                f"hydra.sweeper.objective={objectives} names {len(objectives)}, and hydra.sweeper.direction "
                f"has {len(directions)}: each objective needs its direction"
            )
        if isinstance(objectives, str) and len(directions) > 1:
            raise ConfigError(f"hydra.sweeper.objective={objectives} is one objective for {len(directions)} directions")
        holds = all(isinstance(values, dict) for values in options["enqueue"])
        self._require("enqueue", holds, "a list such as [{learning_rate: 0.001, batch_size: 64}]")
        for key in ("only", "exclude", "zip"):
            if options[key]:
                raise ConfigError(
                    f"hydra.sweeper.{key}={options[key]}: it chooses among the runs of a grid; a search takes "
                    "hydra.sweeper.custom_search_space"
                )

    def _require(self, key: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ConfigError(f"hydra.sweeper.{key}={_shown(self.options[key])}: allowed is {allowed}")


def _shown(value: Any) -> str:
    return (
        f"[{','.join(map(str, value))}]" if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
    )
