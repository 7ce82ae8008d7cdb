"""The commands that an analysis suggests."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from ddrsa.analysis.commands import sweep_further, takes_more_runs, train_again
from ddrsa.rundir.directory import RunDirectory


def test_a_text_that_looks_like_another_value_keeps_its_type(tmp_path: Path) -> None:
    tried = {"kind": ["null", "true", "1e3", "a, b", None, 2, False]}
    command = shlex.split(sweep_further(RunDirectory(tmp_path), {"name": "null"}, tried))
    assert command[:4] == ["python", "train.py", "-m", "name='null'"]
    override = OverridesParser.create().parse_override(command[4])
    assert [getattr(value, "text", value) for value in override.sweep_iterator()] == tried["kind"]


SEARCH = {"_target_": "hydra_plugins.ddrsa_sweep.plugins.OptunaSweeper", "n_trials": 4, "grid": False}
GRID = {"_target_": "hydra_plugins.ddrsa_sweep.plugins.CheckedSweeper"}
OURS = "hydra_plugins.ddrsa_sweep.plugins.SupervisedLauncher"
HYDRAS = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


@pytest.mark.parametrize(
    ("given", "sweeper", "launcher", "expected", "goes_there"),
    [
        # A search that an experiment of the app has set.
        (["hydra.mode=MULTIRUN"], SEARCH, OURS, ["hydra.sweeper.grid=true"], True),
        # The same on the command line, with the launcher, without which Hydra's own would overwrite the runs.
        (
            ["hydra/launcher=supervised", "hydra/sweeper=optuna", "hydra.sweeper.storage=x", "hydra.sweep.dir=q"],
            SEARCH,
            OURS,
            ["hydra/launcher=supervised", "hydra/sweeper=optuna", "hydra.sweeper.grid=true"],
            True,
        ),
        (["hydra/launcher=supervised", "hydra.sweeper.only=x > 1"], GRID, OURS, ["hydra/launcher=supervised"], True),
        (["hydra.sweep.subdir=a", "hydra.launcher.budget=1h"], GRID, HYDRAS, ["hydra.sweep.subdir=a"], False),
    ],
)
def test_more_runs_are_a_grid_by_the_launcher_of_the_sweep(
    tmp_path: Path, given: list[str], sweeper: dict[str, Any], launcher: str, expected: list[str], goes_there: bool
) -> None:
    run = RunDirectory(tmp_path / "0")
    (run.path / ".hydra").mkdir(parents=True)
    run.overrides.write_text("- experiment=e\n- x=1\n")
    hydra = {"overrides": {"hydra": given, "task": ["x=1,2"]}, "launcher": {"_target_": launcher}, "sweeper": sweeper}
    (tmp_path / "multirun.yaml").write_text(yaml.safe_dump({"hydra": {**hydra, "job": {"name": "app"}}}))
    (run.path / ".hydra" / "hydra.yaml").write_text("hydra: {job: {name: app}}")
    words = shlex.split(sweep_further(run, {}, {"seed": [0, 1]}))
    assert words == ["python", "app.py", "-m", *expected, "experiment=e", "x=1", "seed=0,1"]
    assert takes_more_runs(tmp_path) == goes_there


def hydra_noted(run: RunDirectory, given: list[str], overrides: list[str], config: dict[str, Any], mode: str) -> None:
    (run.path / ".hydra").mkdir(parents=True)
    run.overrides.write_text(yaml.safe_dump(overrides))
    run.config.write_text(yaml.safe_dump(config))
    noted = {"overrides": {"hydra": given, "task": overrides}, "job": {"name": "app"}, "mode": mode}
    (run.path / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": noted}))


def test_what_changes_a_run_is_in_the_command_that_does_it_again(tmp_path: Path) -> None:
    of_runs = [
        "hydra.job.chdir=true",
        "+hydra.job.env_set.MODE=a",
        "hydra.searchpath=[file://more]",
        "hydra/callbacks=b",
    ]
    of_sweeps = ["hydra.mode=MULTIRUN", "hydra/launcher=supervised", "hydra.launcher.n_jobs=2", "hydra/sweeper=optuna"]
    of_sweeps += ["hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=grid", "hydra.sweep.dir=q", "hydra.run.dir=r"]
    of_sweeps += ["++hydra.job.env_set.DDRSA_TRIAL=3"]
    run = RunDirectory(tmp_path / "0")
    hydra_noted(run, [*of_sweeps, *of_runs], ["x=1"], {"x": 1}, "MULTIRUN")
    assert shlex.split(train_again(run, {}, None)[1]) == ["python", "app.py", "x=1", *of_runs]


def test_a_config_that_makes_every_command_a_sweep_does_one_run_again(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "0")
    hydra_noted(run, ["hydra.job.chdir=true"], ["x=1"], {"x": 1}, "MULTIRUN")
    assert train_again(run, {}, None)[1] == "python app.py x=1 hydra.job.chdir=true hydra.mode=RUN"


def test_keys_of_another_app_are_kept_whatever_they_are_called(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "0")
    given = ["num_epochs=3", "timeout=5", "report=true", "x=1"]
    hydra_noted(run, [], given, {"num_epochs": 3, "timeout": 5, "report": True, "x": 1}, "RUN")
    assert train_again(run, {}, 3) == ("run the best again", "python app.py num_epochs=3 timeout=5 report=true x=1")
    assert sweep_further(run, {}, {"x": [2, 4]}) == "python app.py -m num_epochs=3 timeout=5 report=true x=2,4"


def test_a_model_is_trained_again_for_longer_and_the_words_say_so(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "0")
    hydra_noted(run, [], ["num_epochs=3", "timeout=5", "horizon=8"], {"lookback": 8, "horizon": 8}, "RUN")
    does, command = train_again(run, {}, 3)
    assert does == "train the best again, with 6 epochs in the place of 3, and draw its forecasts"
    assert command == "python app.py horizon=8 num_epochs=6 visualize=true"
