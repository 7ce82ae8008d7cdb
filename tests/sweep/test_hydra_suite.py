"""Hydra's own suites of what a launcher must do, against the supervised launcher."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import version
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.test_utils.launcher_common_tests import BatchedSweeperTestSuite, IntegrationTestSuite, LauncherTestSuite
from hydra.test_utils.test_utils import integration_test
from omegaconf import DictConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _unversioned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Plugins.instance()  # their groups belong to the state, and are stored once
    state = Singleton.get_state()
    # Hydra's tests expect what it does in a program that names no version; other tests here have named one.
    monkeypatch.setattr(version.VersionBase.instance(), "version_base", version._UNSPECIFIED_)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    yield
    Singleton.set_state(state)


def test_are_discovered() -> None:
    plugins = [*Plugins.instance().discover(Launcher), *Plugins.instance().discover(Sweeper)]
    found = {plugin.__name__ for plugin in plugins if "ddrsa" in plugin.__module__}
    sweepers = {"CheckedSweeper", "OptunaSweeper", "RaceSweeper"}
    assert found == {"SupervisedLauncher", "RayLauncher", "SlurmLauncher", *sweepers}


@pytest.mark.parametrize(("launcher_name", "overrides"), [("supervised", ["hydra.launcher.n_jobs=2"])])
class TestLauncher(LauncherTestSuite):
    """Single batches."""


@pytest.mark.parametrize(
    ("launcher_name", "overrides"), [("supervised", ["hydra.launcher.n_jobs=2", "hydra.sweeper.max_batch_size=2"])]
)
class TestBatches(BatchedSweeperTestSuite):
    """Three batches of two."""


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", "hydra/launcher=supervised", "hydra.launcher.n_jobs=2"])],
)
class TestIntegration(IntegrationTestSuite):
    """Scripts in processes of their own, which know nothing of this package."""

    def test_to_absolute_path_multirun(  # type: ignore[override]  # a test takes what fixtures it wants
        self, tmpdir: Path, task_launcher_cfg: DictConfig, extra_flags: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # It runs two scripts with one config in one directory. For this launcher the second is the first, completed.
        def in_an_empty_directory(**arguments: Any) -> str:
            shutil.rmtree(tmpdir / "cli_dir", ignore_errors=True)
            return integration_test(**arguments)

        monkeypatch.setattr("hydra.test_utils.launcher_common_tests.integration_test", in_an_empty_directory)
        super().test_to_absolute_path_multirun(tmpdir, task_launcher_cfg, extra_flags)
