"""The wheel with the extra `models`: what the README says, in an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wheel_environments import ROOT, Installed

pytestmark = pytest.mark.wheel

TINY = ["model=gru", "model.hidden_size=4", "lookback=8", "horizon=16", "num_epochs=1", "device=cpu", "dataset=tiny"]
SWEEP = ["--config-dir", "my_conf", "-m", *TINY, "batch_size=128,256", "hydra.sweep.dir=sweep"]


@pytest.fixture(scope="module")
def swept(models: Installed) -> Installed:
    """A sweep with a data set of the user's own config folder."""
    group = models.folder / "my_conf" / "dataset"
    group.mkdir(parents=True)
    lines = (ROOT / "conf" / "dataset" / "simulated.yaml").read_text().splitlines()
    changed = [line if not line.startswith("num_units:") else "num_units: 12" for line in lines]
    assert changed != lines
    (group / "tiny.yaml").write_text("\n".join(changed))
    assert "2 runs: 2 completed" in models.output("ddrsa", "train", *SWEEP)
    return models


def run_dir(installed: Installed) -> str:
    return str(next(path.parent for path in installed.folder.rglob("test_metrics.json")).relative_to(installed.folder))


def test_one_run(models: Installed) -> None:
    overrides = ["experiment=quick", "num_epochs=1", "dataset.num_units=12", "model.hidden_size=4", "device=cpu"]
    assert " completed: MAE " in models.output("ddrsa", "train", *overrides, "hydra.sweep.dir=one")
    (hydra,) = (models.folder / "one").rglob("hydra.yaml")
    assert "\n    name: train\n" in hydra.read_text()


def test_the_manifest_says_how_it_was_started(swept: Installed) -> None:
    manifest = json.loads((swept.folder / "sweep" / "experiment_manifest.json").read_text())
    assert manifest["command"] == ["ddrsa", "train", *SWEEP]


def test_the_analysis_prints_commands_of_the_same_kind(swept: Installed) -> None:
    answer = swept.output("ddrsa", "analyze", "hydra.sweep.dir=sweep")
    commands = [line.strip() for line in answer.splitlines() if "ddrsa train" in line or "train.py" in line]
    assert commands
    assert all(command.startswith("ddrsa train --config-dir my_conf ") for command in commands)
    page = (swept.folder / "sweep" / "report.html").read_text()
    assert "ddrsa train --config-dir my_conf" in page
    assert "python train.py" not in page


def test_resume_names_the_config_folder_and_goes_on_with_it(swept: Installed) -> None:
    refused = swept.run("ddrsa", "train", "resume=sweep", "dry_run=true")
    assert refused.returncode == 2
    again = "resume=sweep dry_run=true --config-dir=my_conf"
    assert f"give it again: {again}" in refused.stderr
    assert "0 of 2 runs would start, 2 are done" in swept.output("ddrsa", "train", *again.split())


def test_what_is_done_with_a_run(swept: Installed) -> None:
    run = run_dir(swept)
    assert "intervene now: " in swept.output("ddrsa", "predict", f"checkpoint={run}")
    assert "/plots: " in swept.output("ddrsa", "visualize", run)
    assert "validation NLL" in swept.output("ddrsa", "watch", "sweep")


def test_what_is_done_with_data(models: Installed) -> None:
    assert "lifetimes.png" in models.output("ddrsa", "describe", "dataset.num_units=12")
    assert ": 5 units" in models.output("ddrsa", "simulate", "fleet", "num_units=5")
    done = models.run("ddrsa", "train", "dataset=turbofan", "device=cpu")
    assert "ddrsa download turbofan" in done.stderr


def test_scripts(models: Installed) -> None:
    folder = models.folder / "jobs"
    folder.mkdir()
    (folder / "train_hello.py").write_text("if __name__ == '__main__':\n    print('hello')\n")
    assert "1 completed" in models.output("ddrsa", "scripts", "scripts.root=jobs", "hydra.sweep.dir=swept_scripts")


def test_the_best_of_a_search(swept: Installed) -> None:
    search = [*SWEEP[:3], *TINY, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "batch_size=choice(128,256)"]
    assert "ddrsa best search prints" in swept.output("ddrsa", "train", *search, "hydra.sweep.dir=search")
    assert "  ddrsa train --config-dir my_conf " in swept.output("ddrsa", "best", "search")


def test_completion_by_the_shell(models: Installed) -> None:
    completed = "COMP_LINE='ddrsa train model=lst' exec \"$0\" -sc query=bash"
    done = models.run("python", "-c", _SHELL, completed, str(models.venv / "bin" / "ddrsa"))
    assert done.stdout.split() == ["model=lstm", "model=lstm_complex"]


_SHELL = "import subprocess, sys; sys.exit(subprocess.call(['bash', '-c', *sys.argv[1:]]))"


def test_the_checkout_is_out_of_reach(models: Installed) -> None:
    file = Path(models.output("python", "-c", "import ddrsa; print(ddrsa.__file__)").strip())
    assert file.is_relative_to(models.venv)
