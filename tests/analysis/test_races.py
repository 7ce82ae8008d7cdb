"""The answer of a race beside the analysis of its runs: in the terminal, in report.html, for machines."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from analysis_runs import MakeRun, metrics
from rich.console import Console

from ddrsa.analysis.analysis import Analysis, analyze
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.json_output import print_json
from ddrsa.analysis.plots.drawn import Plots
from ddrsa.analysis.report.page import render
from ddrsa.analysis.terminal import print_answers
from ddrsa.rundir.files import write_json
from ddrsa.rundir.race_record import RACE, read_race
from ddrsa.sweep.race.race import Race
from ddrsa.sweep.race.record import RaceRecord
from ddrsa.sweep.race.standings import Rules

# The race is by a score of which the configuration that the analysis prefers has the worse one.
SCORES = ((1.0, 1.1, 0.9, 1.0), (5.0, 5.2, 4.9), (7.0, 7.1, 7.1))
MAES = (30, 20, 10)
LABELS = ["batch_size=32", "batch_size=64", "batch_size=128"]


@pytest.fixture
def raced(sweep_dir: Path, make_run: MakeRun) -> Path:
    race = Race(3, Rules(3, 12))
    for number, (scores, mae) in enumerate(zip(SCORES, MAES, strict=True)):
        for seed, score in enumerate(scores):
            race.record((number, seed), score)
            result = metrics(mae + seed / 10, mae, 0.8, validation=metrics(mae + seed / 10, mae, 0.8))
            make_run(batch_size=32 * 2**number, seed=seed, result=result)
    RaceRecord(sweep_dir, race, LABELS, ["seed"], "my_score").look(10)
    return sweep_dir


def analyzed(directory: Path) -> Analysis:
    return analyze({"": directory}, directory, Choice("rul_mae", "validation"))


def printed(analysis: Analysis) -> str:
    stream = io.StringIO()
    print_answers(Console(file=stream, width=100, highlight=False, markup=False), analysis)
    return " ".join(stream.getvalue().split())


def test_the_word_of_the_race_stands_before_the_analysis_and_apart_from_it(raced: Path) -> None:
    analysis = analyzed(raced)
    text = printed(analysis)
    assert "after 10 runs, by my_score, lower is better (race.json)" in text
    word = "better: batch_size=32 has a better my_score than the other 2, by at least"
    assert text.index(word) < text.index("What follows is no part of the race") < text.index("the best of 3")
    (answer,) = analysis.answers
    assert answer.best is not None
    assert answer.best.values["batch_size"] == 128  # by another metric: which is why the two are told apart


def test_the_interval_is_that_of_the_sequence_in_the_record(raced: Path) -> None:
    found = read_race(raced)
    assert found is not None
    assert found.word == "better"
    assert [(each.configuration, each.place) for each in found.standings] == [
        ("batch_size=32", "leader"), ("batch_size=64", "worse"), ("batch_size=128", "worse"),
    ]  # fmt: skip
    second = json.loads((raced / RACE).read_text())["configurations"][1]["behind_leader"]
    assert (found.standings[1].low, found.standings[1].high) == (second["low"], second["high"])
    assert f"{second['low']:.3g} to {second['high']:.3g}" in printed(analyzed(raced))
    page = render(analyzed(raced), Plots())
    assert f'<td class="number">{second["low"]:.4g}</td><td class="number">{second["high"]:.4g}</td>' in page
    assert "better: batch_size=32 has a better my_score" in page
    assert page.index("has a better my_score") < page.index("What follows is no part of the race")


def test_margins_of_raced_runs_hold_at_every_look(raced: Path) -> None:
    (answer,) = analyzed(raced).answers
    assert answer.looks is not None
    (raced / RACE).unlink()
    (answer,) = analyzed(raced).answers
    assert answer.looks is None
    assert analyzed(raced).races == []


def test_for_machines(raced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(analyzed(raced), [])
    (race,) = json.loads(capsys.readouterr().out)["races"]
    assert (race["word"], race["objective"], race["error"], race["problem"]) == ("better", "my_score", 0.05, None)
    assert race["standings"][0]["configuration"] == "batch_size=32"


@pytest.mark.parametrize(
    "content", ['{"answer": 3}', "not JSON", '{"answer": "a", "objective": "b", "runs": 1, "configurations": [{}]}']
)
def test_a_damaged_record_is_said_and_the_analysis_goes_on(raced: Path, content: str) -> None:
    (raced / RACE).write_text(content)
    analysis = analyzed(raced)
    text = printed(analysis)
    assert "What the race says is not known:" in text
    assert "race.json" in text
    assert "the best of 3" in text
    assert "What the race says is not known:" in render(analysis, Plots())


def test_what_a_record_says_is_text(raced: Path) -> None:
    content = json.loads((raced / RACE).read_text())
    content.pop("checksum", None)
    content["answer"] = content["configurations"][0]["configuration"] = "<script>alert(1)</script> \x1b[31m[red]"
    content["configurations"][1]["behind_leader"]["low"] = None
    write_json(raced / RACE, content)
    analysis = analyzed(raced)
    assert "<script>alert" not in render(analysis, Plots())
    text = printed(analysis)
    assert "\x1b" not in text
    assert "<script>alert(1)</script>" in text


def test_too_few_repeats_for_an_interval(raced: Path) -> None:
    race = Race(2, Rules(3, 12))
    race.record((0, 0), 1.0)
    race.record((1, 0), 2.0)
    RaceRecord(raced, race, LABELS[:2], ["seed"], "my_score").look(2)
    found = read_race(raced)
    assert found is not None
    assert found.word is None
    behind = found.standings[1]
    assert (behind.low, behind.high) == (None, None)
    assert not np.isnan(behind.behind or np.nan)
    assert "not decided after 2 runs" in printed(analyzed(raced))
