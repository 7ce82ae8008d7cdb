"""Values of a schema and of resolvers that are not plain: enumerations, paths, bytes, functions."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from ddrsa.rundir.files import read_json
from tests.apps.test_apps import APPS_OF_ALL_KINDS, SUPERVISED, Workshop

SWEEP = ("rate=0.1,0.2", "schedule=CONSTANT,COSINE", "cache=a/b", "steps=1", "pause=0", "hydra.sweep.dir=out")
CHECKED = ("-m", "study.app", "-m", SUPERVISED, "hydra/sweeper=checked", *SWEEP)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(APPS_OF_ALL_KINDS[4], tmp_path)


def test_a_grid_is_planned_recorded_chosen_from_and_not_done_again(workshop: Workshop) -> None:
    only = """hydra.sweeper.only='schedule == "COSINE"'"""
    exit_code, output = workshop.run(only, command=CHECKED)
    assert exit_code == 0, output
    assert "2 of 4 runs selected" in output
    exit_code, output = workshop.run(command=CHECKED)
    assert exit_code == 0, output
    recorded: Any = (read_json(workshop.sweep / "experiment_manifest.json") or {})["runs"]
    assert [run["config"]["schedule"] for run in recorded] == ["CONSTANT", "COSINE"] * 2
    assert recorded[0]["config"]["cache"] == "a/b"
    # An object lies at another address in each process; the identity is the same.
    assert recorded[0]["config"]["scale"] == "${function:triple}"
    attempts = {run.path.name: run.status_or_empty()["attempt"] for run in workshop.runs()}
    assert set(attempts.values()) == {1}
    exit_code, output = workshop.run(command=CHECKED)
    assert exit_code == 0, output
    assert {run.path.name: run.status_or_empty()["attempt"] for run in workshop.runs()} == attempts


def test_objects_with_the_same_text_are_not_the_same_run(workshop: Workshop) -> None:
    swept = ("scale='${function:once}','${function:twice}'", "steps=1", "pause=0", "hydra.sweep.dir=out")
    command = ("-m", "study.app", "-m", SUPERVISED, "hydra/sweeper=checked", *swept)
    exit_code, output = workshop.run(command=command)
    assert exit_code == 0, output
    values = [run.status_or_empty()["return_value"] for run in workshop.runs()]
    assert values == [0.1, 0.2]
    exit_code, output = workshop.run(command=command)
    assert exit_code == 0, output
    assert [run.status_or_empty()["attempt"] for run in workshop.runs()] == [1, 1]


def test_its_sweep_is_analysed_and_gone_on_with(workshop: Workshop) -> None:
    exit_code, output = workshop.run(command=CHECKED)
    assert exit_code == 0, output
    exit_code, output = workshop.run(command=("-m", "ddrsa", "analyze", f"hydra.sweep.dir={workshop.sweep}"))
    assert exit_code == 0, output
    best = yaml.safe_load((workshop.sweep / "best.yaml").read_text())[0]
    assert best["values"] == {"rate": 0.1, "schedule": "CONSTANT"}
    with (workshop.sweep / "runs.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["cache"] for row in rows] == ["a/b"] * 4
    exit_code, output = workshop.run(command=("-m", "ddrsa.sweep", "resume", "--trust", str(workshop.sweep)))
    assert exit_code == 0, output
    assert "4 completed" in output


def test_a_search_names_the_command_of_its_best(workshop: Workshop) -> None:
    space = ("rate=interval(0.1,0.2)", "schedule=CONSTANT,COSINE", "cache=a/b,c", "steps=1", "pause=0")
    options = ("hydra.sweeper.n_trials=3", "hydra.sweep.dir=out")
    command = ("-m", "study.app", "-m", SUPERVISED, "hydra/sweeper=optuna", *options, *space)
    exit_code, output = workshop.run(command=command)
    assert exit_code == 0, output
    exit_code, output = workshop.run(command=("-m", "ddrsa.sweep", "best", str(workshop.sweep)))
    assert exit_code == 0, output
    printed = next(line for line in output.splitlines() if "study.app" in line)
    exit_code, again = workshop.run(command=tuple(shlex.split(printed)[1:]))
    assert exit_code == 0, again


def test_runs_that_keep_no_config_are_told_of_before_they_start(workshop: Workshop) -> None:
    exit_code, output = workshop.run("hydra.output_subdir=null", command=CHECKED)
    assert exit_code == 0, output
    assert "hydra.output_subdir=null: the runs keep no .hydra/config.yaml" in output
    assert output.index("output_subdir=null") < output.index("[1/4]")
