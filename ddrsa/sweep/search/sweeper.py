"""Hydra's sweeper plugin around a search: `hydra/sweeper=optuna`."""

from __future__ import annotations

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, ListConfig, OmegaConf

from ddrsa.cli import telling_errors
from ddrsa.sweep.search.config import OptunaSweeperConf


class OptunaSweeper(Sweeper):
    """Lets Optuna choose the values of each job, as the jobs before it have ended.

    Under the supervised launcher the next job starts as soon as one ends; under any other, batch after batch.
    """

    # Optuna is imported only when a search starts: Hydra imports this module for every command.

    def __init__(self, **options: Any) -> None:
        """See `ddrsa.sweep.search.config.OptunaSweeperConf`. Raises ConfigError on values that are not allowed."""
        plain: dict[str, Any] = {
            key: OmegaConf.to_container(value, resolve=True) if isinstance(value, DictConfig | ListConfig) else value
            for key, value in options.items()
        }
        self.options = OptunaSweeperConf(**plain)
        self.options.check_values()
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
        from ddrsa.sweep.search.search import run_search

        with telling_errors():
            run_search(arguments, self.options, self.config, self.hydra_context, self.launcher)
