"""Races of race_app.py in processes of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from supervised import Sweeps

from ddrsa.rundir.files import read_json

CONFIG = """
defaults: [{override hydra/launcher: supervised}, {override hydra/sweeper: race}, _self_]
x: 0
seed: 0
fold: 0
sign: 1
hydra: {sweep: {dir: sweep, subdir: "x${x}-s${seed}-f${fold}"}, launcher: {n_jobs: 2}}
"""


class Races(Sweeps):
    """Starts races, and looks at their record."""

    app = "race_app"
    config = CONFIG

    def race(self) -> dict[str, Any]:
        return read_json(self.directory / "sweep" / "race.json") or {}

    def repeats(self) -> dict[str, int]:
        return {each["configuration"]: len(each["scores"]) for each in self.race()["configurations"]}


@pytest.fixture
def races(tmp_path: Path) -> Iterator[Races]:
    with Races(tmp_path) as races:
        yield races


def test_worse_ones_get_no_more_runs_and_the_same_command_does_nothing(races: Races) -> None:
    races.do({8: "raise"})
    code, output = races.run("x=0,3,6,8", "hydra.sweeper.repeats=3..12")
    assert code == 1  # some runs have failed
    assert races.race()["word"] == "better"
    repeats = races.repeats()
    assert repeats["x=8"] == 0
    assert repeats["x=0"] >= 3
    assert sum(repeats.values()) < 36
    assert "better: x=0 has a better value than the other 2, by at least" in output
    assert "Out of the race, because their runs failed: x=8" in output
    places = {each["configuration"]: each["place"] for each in races.race()["configurations"]}
    assert places == {"x=0": "leader", "x=3": "worse", "x=6": "worse", "x=8": "out"}
    looks = (races.directory / "sweep" / "race_looks.jsonl").read_text().splitlines()
    assert [json.loads(line)["word"] for line in looks][-1] == "better"
    code, output = races.finish(races.launch(sys.executable, "-m", "ddrsa.sweep", "watch", "sweep"))
    assert "better: x=0 has a better value than the other 2" in output
    races.do({})
    before = (races.directory / "events.txt").read_text().count('"begins"')
    code, output = races.run("x=0,3,6", "hydra.sweeper.repeats=3..12")
    assert code == 0, output
    assert (races.directory / "events.txt").read_text().count('"begins"') == before


def test_higher_is_better_with_maximize_and_folds_count_too(races: Races) -> None:
    code, output = races.run(
        "x=0,5",
        "sign=-1",
        "hydra.sweeper.direction=maximize",
        "hydra.sweeper.repeat_values={fold:[0,1],seed:[3,4,5]}",
    )
    assert code == 0, output
    race = races.race()
    assert (race["word"], race["repeat_keys"]) == ("better", ["fold", "seed"])
    leader = next(each for each in race["configurations"] if each["place"] == "leader")
    assert leader["configuration"] == "x=0"
    assert leader["directories"][:3] == ["x0-s3-f0", "x0-s3-f1", "x0-s4-f0"]


def test_nan_is_no_score(races: Races) -> None:
    races.do({1: "nan"})
    code, output = races.run("x=1,2", "hydra.sweeper.repeats=2..3")
    assert code == 1
    assert "the returned value is NaN" in output
    assert races.repeats() == {"x=1": 0, "x=2": 3}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["x=1,2", "hydra.sweeper.repeats=1..3"], "hydra.sweeper.repeats=1..3: allowed is a range from 2 or more"),
        (["x=1,2", "seed=0,1"], "seed counts the repeats of the race"),
        (["x=1,2", "hydra.sweeper.delta=-1"], "hydra.sweeper.delta=-1.0: allowed is 0 or more"),
        (["x=1,2", "hydra.sweeper.repeat_key=sign2"], "hydra.sweeper.repeat_key=sign2: the config has sign2=None"),
        (["x=1,2", "hydra/launcher=joblib"], "hydra/launcher=supervised, ray and slurm can"),
        (["x=1,2", "hydra.sweeper.candidates=nowhere"], "hydra.sweeper.candidates=nowhere"),
    ],
)
def test_wrong_options_end_it_before_anything_is_written(races: Races, overrides: list[str], said: str) -> None:
    code, output = races.run(*overrides)
    assert code == 2
    assert said in output
    assert not (races.directory / "sweep").exists()


def test_dry_run_shows_the_configurations(races: Races) -> None:
    code, output = races.run("x=1,2", "hydra.sweeper.dry_run=true")
    assert code == 0
    assert "a race of 2 configurations, 3 to 20 runs of each" in output
    assert not (races.directory / "sweep").exists()


def test_best_trials_of_a_search_race(races: Races) -> None:
    code, output = races.run(
        "hydra/sweeper=optuna", "hydra/sweeper/sampler=grid", "x=choice(0,4,9)", "hydra.sweep.dir=search"
    )
    assert code == 0, output
    code, output = races.run("hydra.sweeper.candidates=search", "hydra.sweeper.top=2", "hydra.sweeper.repeats=2..6")
    assert code == 0, output
    assert set(races.repeats()) == {"x=0", "x=4"}
    assert "better: x=0" in output


def test_listed_repeats_beyond_the_most_are_told_of(races: Races) -> None:
    code, output = races.run("x=0,9", "hydra.sweeper.repeats=2..3", "hydra.sweeper.repeat_values={seed:[0,1,2,3,4]}")
    assert code == 0, output
    assert "repeat_values have 5 combinations: at most 3 of them are used" in output


@pytest.mark.slow
def test_a_race_stops_asking_when_its_budget_ends(races: Races) -> None:
    races.do(dict.fromkeys(range(4), "slow"))
    code, output = races.run("x=0,1,2,3", "hydra.sweeper.repeats=20", "hydra.launcher.budget=30s")
    assert code == 3, output
    assert "the end of the budget of 30s at " in output
    assert 0 < races.race()["runs"] < 80
    assert races.race()["word"] is None
    states = set(races.states().values())
    assert states <= {"completed", "interrupted"}
