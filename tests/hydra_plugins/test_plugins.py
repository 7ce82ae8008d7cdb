"""Hydra apps that know nothing of this package, in an environment where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import OmegaConf

from ddrsa.sweep.config import SupervisedLauncherConf
from ddrsa.sweep.launcher import SupervisedLauncher

ROOT = Path(__file__).parents[2]

APP = """
import hydra

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    return float(config.x)

if __name__ == "__main__":
    main()
"""

# What a config that was written for hydra-optuna-sweeper says.
PASTED = """
defaults:
  - override hydra/sweeper: optuna
  - _self_
x: 1
hydra:
  sweep: {dir: sweep}
  sweeper:
    _target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper
    direction: minimize
    n_trials: 2
    n_jobs: 1
    sampler: {_target_: optuna.samplers.TPESampler, seed: 1, n_startup_trials: 1}
    params: {x: "interval(0, 1)"}
"""

OTHER = """
from dataclasses import dataclass
from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper

@dataclass
class Conf:
    _target_: str = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"

class OptunaSweeper(Sweeper):
    def setup(self, *, hydra_context, task_function, config):
        pass
    def sweep(self, arguments):
        print("the other searches")

ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=Conf, provider="other")
tpe = {"_target_": "optuna.samplers.TPESampler", "seed": None, "consider_prior": True, "n_startup_trials": 10}
ConfigStore.instance().store(group="hydra/sweeper/sampler", name="tpe", node=tpe, provider="other")
"""


def app(directory: Path, *arguments: str, config: str = "x: 1\nhydra: {sweep: {dir: sweep}}\n") -> str:
    """What the app prints; it must end well."""
    (directory / "app.py").write_text(APP)
    (directory / "config.yaml").write_text(config)
    done = subprocess.run(
        [sys.executable, "app.py", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(directory)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "schema with the same name" not in done.stderr
    return done.stdout


def study_results(directory: Path) -> dict[str, object]:
    """What the search wrote of its best trial."""
    content = yaml.safe_load((directory / "sweep" / "optimization_results.yaml").read_text())
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("launcher", ["supervised", "ray", "slurm", "supervised_defaults"])
def test_launchers_are_in_the_help(tmp_path: Path, launcher: str) -> None:
    assert "retries: 0" in app(tmp_path, f"hydra/launcher={launcher}", "--cfg", "hydra", "-p", "hydra.launcher")


def test_a_file_of_the_app_extends_a_launcher_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "hydra" / "launcher").mkdir(parents=True)
    text = "defaults: [supervised_defaults, _self_]\nretries: 3\n"
    (tmp_path / "hydra" / "launcher" / "supervised.yaml").write_text(text)
    config = "defaults: [_self_, {override hydra/launcher: supervised}]\nx: 1\n"
    output = app(tmp_path, "--cfg", "hydra", "-p", "hydra.launcher", config=config)
    assert "retries: 3" in output


def test_an_unchanged_app_is_supervised(tmp_path: Path) -> None:
    arguments = ["-m", "hydra/launcher=supervised", "hydra/sweeper=checked", "x=1,2", "hydra.launcher.retries=1"]
    assert "2 runs: 2 completed" in app(tmp_path, *arguments)
    before = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("sweep/*/status.json"))]
    app(tmp_path, *arguments)
    assert before == [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("sweep/*/status.json"))]
    assert len(before) == 2


@pytest.mark.parametrize("name", ["optuna", "ddrsa_optuna"])
def test_an_unchanged_app_searches(tmp_path: Path, name: str) -> None:
    app(tmp_path, "-m", f"hydra/sweeper={name}", "hydra.sweeper.n_trials=2", "x=interval(0,1)")
    assert study_results(tmp_path)["name"] == "optuna"


def test_a_config_that_names_the_class_of_the_other_sweeper_searches(tmp_path: Path) -> None:
    app(tmp_path, "-m", config=PASTED)
    assert study_results(tmp_path)["name"] == "optuna"


def test_beside_the_other_sweeper_optuna_is_the_other(tmp_path: Path) -> None:
    other = tmp_path / "hydra_plugins" / "hydra_optuna_sweeper"
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    (other / "optuna_sweeper.py").write_text(OTHER)
    assert app(tmp_path, "-m", "hydra/sweeper=optuna") == "the other searches\n"
    assert not (tmp_path / "sweep").exists()
    app(tmp_path, "-m", "hydra/sweeper=ddrsa_optuna", "hydra.sweeper.n_trials=2", "x=interval(0,1)")
    assert study_results(tmp_path)["name"] == "optuna"


def launcher_of(**options: Any) -> Launcher:
    config = OmegaConf.create({"hydra": {"launcher": OmegaConf.structured(SupervisedLauncherConf(**options))}})
    plugins = Plugins.instance()
    return plugins.instantiate_launcher(
        hydra_context=HydraContext(config_loader=None, callbacks=None),  # type: ignore[arg-type]
        task_function=lambda _: None,
        config=config,
    )


def test_on_windows_joblib_takes_the_place_of_the_supervised_launcher(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(launcher_of(n_jobs=3), SupervisedLauncher)
    assert caplog.messages == []
    with monkeypatch.context() as windows:
        windows.setattr(sys, "platform", "win32")
        launcher = launcher_of(n_jobs=3, retries=1)
    assert type(launcher).__name__ == "JoblibLauncher"
    assert launcher.joblib == {"n_jobs": 3}  # type: ignore[attr-defined]
    (message,) = caplog.messages
    assert "joblib" in message
    assert "without retries" in message
