"""The launchers and sweepers of `ddrsa.sweep`, as Hydra discovers them.

Hydra executes this module at the start of every program in an environment where this package is installed, and knows a
class by the module that defines it. So the classes here stand for others, which are imported when one is made, and the
configs are files, or dataclasses that are imported when one is chosen. Nothing else may import this module: Hydra would
execute it a second time.
"""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.utils import get_class
from omegaconf import OmegaConf

import hydra_plugins

log = logging.getLogger(__name__)

JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
# hydra-optuna-sweeper, whose names are free where it is not installed.
OTHER_OPTUNA = "hydra_plugins.hydra_optuna_sweeper"
IS_ALONE = find_spec(OTHER_OPTUNA) is None

# The typed configs, by their paths among the config groups: dotted paths of dataclasses. Hydra's ConfigStore would make
# them, and take milliseconds for each, at the start of every program.
SCHEMAS = {
    "hydra/launcher/supervised_defaults": "ddrsa.sweep.config.SupervisedLauncherConf",
    "hydra/launcher/ray_defaults": "ddrsa.sweep.config.RayLauncherConf",
    "hydra/launcher/slurm_defaults": "ddrsa.sweep.config.SlurmLauncherConf",
    "hydra/sweeper/checked": "ddrsa.sweep.config.CheckedSweeperConf",
    "hydra/sweeper/race": "ddrsa.sweep.race.config.RaceSweeperConf",
    "hydra/sweeper/optuna_defaults": "ddrsa.sweep.search.config.OptunaSweeperConf",
}


class _StandingLauncher(Launcher):
    """A launcher whose class is `stands_for`, a dotted path."""

    stands_for: str
    name: str

    def __new__(cls, **options: Any) -> Any:
        from ddrsa.cli import telling_errors
        from ddrsa.sweep.other_launchers import own_options

        with telling_errors():
            schema = get_class(SCHEMAS[f"hydra/launcher/{cls.name}_defaults"])
            return get_class(cls.stands_for)(**own_options(cls.name, schema, options))

    setup = launch = None  # type: ignore[assignment]  # Hydra looks for classes that are not abstract


class _StandingSweeper(Sweeper):
    """A sweeper whose class is `stands_for`, a dotted path."""

    stands_for: str

    def __new__(cls, **options: Any) -> Any:
        from ddrsa.cli import telling_errors

        with telling_errors():
            if options.pop("grid", False):
                from ddrsa.sweep.sweeper import as_grid

                return as_grid(options)
            return get_class(cls.stands_for)(**options)

    setup = sweep = None  # type: ignore[assignment]  # as above


class Schemas(ConfigSource):
    """The typed configs, each made when it is chosen."""

    @staticmethod
    def scheme() -> str:
        """What the paths of this source begin with."""
        return "ddrsa"

    def load_config(self, config_path: str) -> ConfigResult:
        """The config of that path."""
        name = _name(config_path)
        # A config may hold the keys of another launcher: those of ours sort them out.
        flags = {"struct": False} if name.startswith("hydra/launcher/") else None
        node = OmegaConf.structured(get_class(SCHEMAS[name]), flags=flags)
        return ConfigResult(self.provider, self.full_path(), node, header={"package": None})

    def available(self) -> bool:
        """Whether its path, of which it has but one, is right."""
        return not self.path

    def is_group(self, config_path: str) -> bool:
        """Whether a config lies below that path."""
        group = config_path.strip("/")
        return not group or any(name.startswith(f"{group}/") for name in SCHEMAS)

    def is_config(self, config_path: str) -> bool:
        """Whether there is a config of that path."""
        return _name(config_path) in SCHEMAS

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The names of the groups and configs of a group."""
        group = config_path.strip("/")
        below = [name.removeprefix(f"{group}/").split("/") for name in SCHEMAS if name.startswith(f"{group}/")]
        groups = {first for first, *rest in below if rest and results_filter is not ObjectType.CONFIG}
        configs = {first for first, *rest in below if not rest and results_filter is not ObjectType.GROUP}
        return sorted(groups | configs)


def _name(config_path: str) -> str:
    return config_path.strip("/").removesuffix(".yaml")


class ConfigGroups(SearchPathPlugin):
    """The configs of this package, behind those of the app."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append them.

        The names that both have are those of hydra-optuna-sweeper where it is installed. Its options are understood.
        """
        search_path.append("ddrsa", "ddrsa://")
        search_path.append("ddrsa", "pkg://hydra_plugins.ddrsa_sweep.conf")
        if IS_ALONE:
            search_path.append("ddrsa", "pkg://hydra_plugins.ddrsa_sweep.optuna_names")


class SupervisedLauncher(_StandingLauncher):
    """`hydra/launcher=supervised`."""

    stands_for = "ddrsa.sweep.launcher.SupervisedLauncher"
    name = "supervised"

    def __new__(cls, **options: Any) -> Any:
        if sys.platform == "win32":
            log.warning(
                "hydra/launcher=supervised is not for Windows: Hydra's joblib launcher takes its place, without "
                "retries, timeout, max_failures and the display of the sweep"
            )
            return get_class(JOBLIB)(n_jobs=options.get("n_jobs", -1))
        return super().__new__(cls, **options)


class RayLauncher(_StandingLauncher):
    """`hydra/launcher=ray`."""

    stands_for = "ddrsa.sweep.cluster.ray.RayLauncher"
    name = "ray"


class SlurmLauncher(_StandingLauncher):
    """`hydra/launcher=slurm`."""

    stands_for = "ddrsa.sweep.cluster.slurm.SlurmLauncher"
    name = "slurm"


class CheckedSweeper(_StandingSweeper):
    """`hydra/sweeper=checked`."""

    stands_for = "ddrsa.sweep.sweeper.CheckedSweeper"


class RaceSweeper(_StandingSweeper):
    """`hydra/sweeper=race`."""

    stands_for = "ddrsa.sweep.race.sweeper.RaceSweeper"


class OptunaSweeper(_StandingSweeper):
    """`hydra/sweeper=optuna`, and `ddrsa_optuna`."""

    stands_for = "ddrsa.sweep.search.sweeper.OptunaSweeper"


if IS_ALONE:

    class OtherOptunaSweeper(OptunaSweeper):
        """By the name that configs written for the other have for it."""

        __module__ = f"{OTHER_OPTUNA}.optuna_sweeper"

    # Hydra looks it up by that name in two ways: among the plugins, and through the package.
    OtherOptunaSweeper.__name__ = OtherOptunaSweeper.__qualname__ = "OptunaSweeper"
    _module = SimpleNamespace(OptunaSweeper=OtherOptunaSweeper)
    setattr(hydra_plugins, "hydra_optuna_sweeper", SimpleNamespace(optuna_sweeper=_module))  # noqa: B010

# They are no plugins themselves.
del _StandingLauncher, _StandingSweeper
