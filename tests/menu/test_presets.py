"""Every preset, composed and counted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from math import prod
from pathlib import Path

import pytest
import yaml
from programs import TRAINING, run_program

from ddrsa.config import check_config
from ddrsa.errors import ConfigError
from ddrsa.menu.presets import _composed, plan_of, presets

ROOT = Path(__file__).parents[2]
NAMES = [
    "quick_comparison",
    "batch_size_study",
    "learning_rate_sweep",
    "nasa_weight_tuning",
    "dropout_sensitivity",
    "full_grid",
]


def dry_run(*overrides: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run_program(ROOT / "train.py", *overrides, "dry_run=true", imports=TRAINING, cwd=folder)


def test_all_are_there_and_each_has_a_question() -> None:
    assert sorted(preset.name for preset in presets()) == sorted(NAMES)
    assert all(preset.question.endswith(("?", ".")) for preset in presets())


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_runs(name: str) -> None:
    text = (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text()
    params = yaml.safe_load(text)["hydra"]["sweeper"]["params"]
    plan = plan_of([f"experiment={name}"])
    assert len(plan.runs) == prod(len(str(values).split(",")) for values in params.values())
    # Each value of each key is in a config that a run accepts.
    values = {key: str(listed).split(",") for key, listed in params.items()}
    for i in range(max(map(len, values.values()))):
        own = [f"{key}={each[i % len(each)]}" for key, each in values.items()]
        check_config(_composed((f"experiment={name}", *own)))
    (factors,) = [line for line in text.splitlines() if line.startswith("#") and " x " in line]
    assert prod(map(int, re.findall(r"(?:# | x )(\d+)", factors))) == len(plan.runs)
    documented = re.findall(rf"^\| `{name}` \| (\d+) \|", (ROOT / "docs" / "presets.md").read_text(), re.MULTILINE)
    assert documented == [str(len(plan.runs))]


def test_the_command_line_runs_as_many(tmp_path: Path) -> None:
    overrides = ["experiment=nasa_weight_tuning", "dataset=turbofan", "dataset.subset=FD002", "seed=0"]
    done = dry_run("-m", *overrides, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(plan_of(overrides).runs) == 12
    assert "12 of 12 runs would start" in done.stdout
    assert len(re.findall(r"nasa_weight=0\.03 +logs/turbofan", done.stdout)) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_takes_the_place_of_a_presets_values() -> None:
    plan = plan_of(["experiment=batch_size_study", "batch_size=16", "model=transformer", "dropout=0,0.1"])
    assert len(plan.runs) == 3 * 2
    assert {(run["batch_size"], run["model"]["name"]) for run in plan.runs} == {(16, "transformer")}


def test_what_a_plan_knows_of_each_run() -> None:
    plan = plan_of(["model=lstm,gru", "model.hidden_size=8,9", "lookback=5,6", "horizon=7,8", "zip=[lookback,horizon]"])
    found = [(run["model"]["name"], run["model"]["hidden_size"], run["lookback"], run["horizon"]) for run in plan.runs]
    assert found == [(name, size, *pair) for name in ("lstm", "gru") for size in (8, 9) for pair in ((5, 7), (6, 8))]
    assert plan.groups == {"model": ["lstm", "gru"], "model.hidden_size": ["8", "9"]}
    assert plan_of(["seed=0,1", "only=seed"]).shown_count == "at most 2 runs"


@pytest.mark.parametrize(
    ("subset", "values"),
    [
        ("FD001", {"num_epochs": 16, "dropout": 0.5, "batch_size": 128}),
        ("FD002", {"num_epochs": 12, "dropout": 0.3, "batch_size": 256}),
        ("FD003", {"num_epochs": 16, "dropout": 0.5, "batch_size": 128}),
        ("FD004", {"num_epochs": 12, "dropout": 0.3, "batch_size": 256}),
    ],
)
def test_the_official_presets_share_a_base(subset: str, values: dict[str, float]) -> None:
    config = _composed((f"experiment={subset.lower()}_official",))
    check_config(config)
    assert {key: config[key] for key in values} == values
    assert (config.dataset.name, config.dataset.subset, config.dataset.test_fraction) == ("turbofan", subset, 0)
    assert (config.dataset.validation_fraction, config.dataset.scaling) == (
        (0.2, "minmax") if subset in ("FD001", "FD003") else (0.15, "condition")
    )
    assert (config.model.name, config.lookback, config.horizon, config.patience) == ("tcn", 256, 125, 0)


def test_a_plan_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="lookback has 2, horizon has 3 values"):
        plan_of(["lookback=5,6", "horizon=7,8,9", "zip=[lookback,horizon]"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["experiment=full_grid"], "and needs -m; hydra.sweeper.params=null makes it a single run"),
        (["-m", "experiment=full_grid,batch_size_study"], "it cannot be one of the values of a sweep itself"),
    ],
)
def test_a_preset_is_never_run_as_less_than_it_is(tmp_path: Path, overrides: list[str], message: str) -> None:
    done = dry_run(*overrides, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_preset_can_be_a_single_run(tmp_path: Path) -> None:
    done = dry_run("experiment=full_grid", "hydra.sweeper.params=null", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 run would start" in done.stdout


def test_the_menu_imports_no_torch() -> None:
    code = "import sys, ddrsa.menu.command as menu; menu.main(['--list']); print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "False"
