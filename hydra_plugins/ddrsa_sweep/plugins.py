"""The launchers and sweepers of `ddrsa.sweep`, as Hydra discovers them.

Hydra executes this module at the start of every program in an environment where this package is installed, and knows a
class by the module that defines it. So the classes here stand for others, which are imported when one is made. Nothing
else may import this module: Hydra would execute it a second time.
"""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.utils import get_class

import hydra_plugins
from ddrsa.sweep import config
from ddrsa.sweep.search import config as search_config

log = logging.getLogger(__name__)

JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
# hydra-optuna-sweeper, whose names are free where it is not installed.
OTHER_OPTUNA = "hydra_plugins.hydra_optuna_sweeper"


class _StandingLauncher(Launcher):
    """A launcher whose class is `stands_for`, a dotted path."""

    stands_for: str

    def __new__(cls, **options: Any) -> Any:
        return get_class(cls.stands_for)(**options)

    setup = launch = None  # type: ignore[assignment]  # Hydra looks for classes that are not abstract


class _StandingSweeper(Sweeper):
    """A sweeper whose class is `stands_for`, a dotted path."""

    stands_for: str

    def __new__(cls, **options: Any) -> Any:
        return get_class(cls.stands_for)(**options)

    setup = sweep = None  # type: ignore[assignment]  # as above


class Launchers(SearchPathPlugin):
    """The files of the launchers, behind those of the app."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append them."""
        search_path.append("ddrsa", "pkg://hydra_plugins.ddrsa_sweep.conf")


class SupervisedLauncher(_StandingLauncher):
    """`hydra/launcher=supervised`."""

    stands_for = "ddrsa.sweep.launcher.SupervisedLauncher"

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


class SlurmLauncher(_StandingLauncher):
    """`hydra/launcher=slurm`."""

    stands_for = "ddrsa.sweep.cluster.slurm.SlurmLauncher"


class CheckedSweeper(_StandingSweeper):
    """`hydra/sweeper=checked`."""

    stands_for = "ddrsa.sweep.sweeper.CheckedSweeper"


class OptunaSweeper(_StandingSweeper):
    """`hydra/sweeper=optuna`, and `ddrsa_optuna`."""

    stands_for = "ddrsa.sweep.search.sweeper.OptunaSweeper"


config.store_groups()
if find_spec(OTHER_OPTUNA) is None:
    search_config.store_groups()

    class OtherOptunaSweeper(OptunaSweeper):
        """By the name that configs written for the other have for it."""

        __module__ = f"{OTHER_OPTUNA}.optuna_sweeper"

    # Hydra looks it up by that name in two ways: among the plugins, and through the package.
    OtherOptunaSweeper.__name__ = OtherOptunaSweeper.__qualname__ = "OptunaSweeper"
    _module = SimpleNamespace(OptunaSweeper=OtherOptunaSweeper)
    setattr(hydra_plugins, "hydra_optuna_sweeper", SimpleNamespace(optuna_sweeper=_module))  # noqa: B010
else:
    search_config.store_groups(beside_the_other=True)

# They are no plugins themselves.
del _StandingLauncher, _StandingSweeper
