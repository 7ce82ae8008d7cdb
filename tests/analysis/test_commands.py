"""The commands that an analysis suggests."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from ddrsa.analysis.commands import sweep_further, takes_more_runs
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
