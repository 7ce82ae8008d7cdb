"""Runs whose data have changed since: what has completed is said, what was interrupted begins anew."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from programs import TRAINING, run_program

from ddrsa.rundir.training import TrainingDirectory, find_trainings

ROOT = Path(__file__).parent.parent
TINY = ["lookback=4", "horizon=8", "num_epochs=2", "batch_size=256", "model.hidden_size=4", "device=cpu"]
COMMAND = ["dataset=table", "dataset.path=d.csv", "dataset.all_units_fail=true", "hydra.sweep.dir=sweep", *TINY]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "DDRSA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}


def write_units(path: Path, offset: float) -> None:
    rows = [(unit, time, offset + time + 0.1 * unit) for unit in range(10) for time in range(12 + unit % 3)]
    pd.DataFrame(rows, columns=["unit", "time", "x"]).to_csv(path, index=False)


def train(tmp_path: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    done = run_program(ROOT / "train.py", *arguments, *COMMAND, imports=TRAINING, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    return done


def contents(sweep: Path) -> set[str]:
    return {(run.read_test_metrics() or {})["data_content"] for run in find_trainings(sweep)}


def test_sweep_that_skips_completed_runs_names_both_contents(tmp_path: Path, environment: dict[str, str]) -> None:
    write_units(tmp_path / "d.csv", 20)
    first = train(tmp_path, environment, "-m", "seed=0,1")
    assert "other data" not in first.stdout + first.stderr
    (before,) = contents(tmp_path / "sweep")

    write_units(tmp_path / "d.csv", 25)
    done = train(tmp_path, environment, "-m", "seed=0,1")
    said = " ".join((done.stdout + done.stderr).split())
    told = "2 runs that were completed already were trained on other data: "
    found = re.search(told + r"content (\w+), and that of d.csv is now (\w+);", said)
    assert found is not None, said
    assert (found[1], found[1] != found[2]) == (before, True)
    assert "2 runs that were completed already" in (tmp_path / "sweep" / "sweep.log").read_text()
    # The results are those of the first file.
    assert contents(tmp_path / "sweep") == {before}

    (tmp_path / "d.csv").unlink()
    gone = train(tmp_path, environment, "-m", "seed=0,1")
    assert "cannot be compared with those now: dataset.path=d.csv matches no file" in " ".join(
        (gone.stdout + gone.stderr).split()
    )


def test_single_run_that_is_complete_names_both_contents(tmp_path: Path, environment: dict[str, str]) -> None:
    write_units(tmp_path / "d.csv", 20)
    # In a directory of its own: the path is still that of the directory in which the command was given.
    train(tmp_path, environment, "hydra.job.chdir=true")
    (before,) = contents(tmp_path / "sweep")
    assert "was trained on other data" not in train(tmp_path, environment).stdout
    write_units(tmp_path / "d.csv", 25)
    said = " ".join(train(tmp_path, environment).stdout.split())
    found = re.search(r"was trained on other data: content (\w+), and that of d.csv is now (\w+); with another", said)
    assert found is not None, said
    assert (found[1], found[1] != found[2]) == (before, True)


def test_interrupted_run_begins_anew_with_other_data(tmp_path: Path, environment: dict[str, str]) -> None:
    write_units(tmp_path / "d.csv", 20)
    train(tmp_path, environment)
    (run,) = find_trainings(tmp_path / "sweep")
    untouched = tmp_path / "whole"
    shutil.copytree(run.path, untouched)
    for offset, begins_anew in ((20, False), (25, True)):
        shutil.rmtree(run.path)
        shutil.copytree(untouched, run.path)
        run.test_metrics.unlink()  # as if it had been killed before it could write its result
        shutil.copy(run.checkpoint_last, run.checkpoint_previous)
        write_units(tmp_path / "d.csv", offset)
        started = TrainingDirectory(untouched).training_log.read_text()
        done = train(tmp_path, environment, "num_epochs=2")
        said = re.search(r"began with other data: content (\w+), now (\w+); it begins anew", done.stdout + done.stderr)
        assert (said is not None) == begins_anew
        # The epochs of the first data are gone with it.
        assert (run.training_log.read_text() == started) != begins_anew
        assert len(list(csv.DictReader(run.training_log.open()))) == 2
