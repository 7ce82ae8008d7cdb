"""Hydra apps that know nothing of this package, in an environment where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ValidationError

from ddrsa.sweep.config import SupervisedLauncherConf
from ddrsa.sweep.launcher import SupervisedLauncher

ROOT = Path(__file__).parents[2]
MODULE = "hydra_plugins.ddrsa_sweep.plugins"

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


def groups(**names: str) -> DictConfig:
    """Hydra's config of an app of nothing with these groups of hydra/."""
    overrides = [f"hydra/{group.replace('__', '/')}={name}" for group, name in names.items()]
    with initialize(version_base="1.3"):
        return compose(overrides=overrides, return_hydra_config=True).hydra


@pytest.mark.parametrize("launcher", ["supervised", "ray", "slurm", "supervised_defaults"])
def test_launchers_are_found(launcher: str) -> None:
    assert groups(launcher=launcher).launcher.retries == 0


@pytest.mark.parametrize("sweeper", ["checked", "optuna", "ddrsa_optuna"])
def test_sweepers_are_found_and_their_options_have_types(sweeper: str) -> None:
    config = groups(sweeper=sweeper).sweeper
    assert config.dry_run is False
    with pytest.raises(ValidationError, match="dry_run"):
        config.dry_run = "perhaps"


def test_a_sampler_and_a_pruner_are_chosen_by_name() -> None:
    sweeper = groups(sweeper="optuna", sweeper__sampler="gp", sweeper__pruner="hyperband").sweeper
    assert sweeper.sampler._target_ == "optuna.samplers.GPSampler"
    assert sweeper.pruner._target_ == "optuna.pruners.HyperbandPruner"
    assert sweeper.pruner.max_resource == "auto"


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(MissingConfigException) as error:
        groups(launcher="supervise")
    options = {line.strip() for line in str(error.value).splitlines()}
    assert {"ray", "slurm", "supervised", "supervised_defaults", "basic"} <= options


def test_the_schemas_are_found_as_hydra_finds_those_of_its_store(monkeypatch: pytest.MonkeyPatch) -> None:
    Plugins.instance()  # finds it
    ours = SourcesRegistry.instance().resolve("ddrsa")("ddrsa", "ddrsa://")
    store = object.__new__(ConfigStore)  # its class gives everybody the same one
    store.__init__()  # type: ignore[misc]
    theirs = SourcesRegistry.instance().resolve("structured")("schema", "structured://")
    theirs.store = store  # type: ignore[attr-defined]
    monkeypatch.setattr(ConfigStore, "instance", lambda *_arguments: store)  # where Hydra 1.4 looks
    for group in ("launcher", "sweeper"):
        for name in ours.list(f"hydra/{group}", ObjectType.CONFIG):
            store.store(name, ours.load_config(f"hydra/{group}/{name}").config, group=f"hydra/{group}")
    paths = ["", "hydra", "hydra/launcher", "hydra/sweeper/", "hydra/launch", "hydra/launcher/ray_defaults", "x"]
    for path in [*paths, "hydra/sweeper/checked", "hydra/sweeper/checked.yaml", "hydra/launcher/supervised"]:
        assert ours.is_config(path) == theirs.is_config(path), path
        assert ours.is_group(path) == theirs.is_group(path), path
        for kind in (None, ObjectType.CONFIG, ObjectType.GROUP):
            if theirs.is_group(path) and path:
                assert ours.list(path, kind) == theirs.list(path.rstrip("/"), kind), (path, kind)


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


def test_every_plugin_is_found_once_and_declared_for_hydra_1_4() -> None:
    """Hydra 1.4 finds them in two ways; this runs with it too (make test-hydra-next)."""
    found = [plugin for plugin in Plugins.instance().discover() if plugin.__module__ == MODULE]
    names = sorted(plugin.__name__ for plugin in found)
    assert len(set(names)) == len(names)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["hydra.plugins"]
    assert sorted(declared.values()) == [f"{MODULE}:{name}" for name in names]


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
