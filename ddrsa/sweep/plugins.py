"""What `ddrsa.sweep` adds to Hydra. Call `register` before `hydra.main`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from ddrsa.sweep.sweeper import CheckedSweeper

# Hydra instantiates plugins only by names that begin with hydra_plugins.
SWEEPER_TARGET = "hydra_plugins.ddrsa.CheckedSweeper"


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


def register() -> None:
    """Make `hydra/sweeper: checked` known to Hydra. May be called again."""
    plugins = Plugins.instance()
    plugins.register(CheckedSweeper)
    plugins.class_name_to_class[SWEEPER_TARGET] = CheckedSweeper
    ConfigStore.instance().store(group="hydra/sweeper", name="checked", node=CheckedSweeperConf, provider="ddrsa")
