"""Sweeps of Hydra tasks that are not the project's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ddrsa.analysis.analysis import Analysis, analyze
from ddrsa.analysis.command import Options
from ddrsa.analysis.command import analyze as analyze_command
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.metrics import metric, set_maximized
from ddrsa.analysis.plots.drawn import NotDrawn
from ddrsa.analysis.plots.models import model_comparison
from ddrsa.analysis.sentences import sentences
from ddrsa.better import name_says_higher
from ddrsa.rundir.files import write_json

TEXT = "out: ${hydra:runtime.output_dir}\n"


def run(sweep: Path, number: int, returned: Any = None, state: str | None = "completed", **config: Any) -> Path:
    """A run as a launcher of the project leaves it; state None: as one of Hydra's own does."""
    directory = sweep / str(number)
    (directory / ".hydra").mkdir(parents=True)
    (directory / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config) + TEXT)
    (directory / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"{key}={config[key]}" for key in config]))
    (directory / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"job": {"name": "app"}}}))
    (directory / "app.log").write_text("")
    if state is not None:
        write_json(directory / "status.json", {"run_id": str(number), "state": state, "return_value": returned})
    return directory


def searched(sweep: Path, **sweeper: Any) -> None:
    (sweep / "multirun.yaml").write_text(yaml.safe_dump({"hydra": {"sweeper": sweeper, "job": {"name": "app"}}}))


def analysis_of(sweep: Path, metric_name: str | None = None) -> Analysis:
    return analyze({"": sweep}, sweep, Choice(metric_name))


def test_runs_are_judged_by_what_they_returned(tmp_path: Path) -> None:
    for number, (lr, returned) in enumerate([(0.1, 3.0), (0.2, 1.0), (0.3, 2)]):
        run(tmp_path, number, returned, lr=lr, seed=0, model="resnet")
    run(tmp_path, 3, lr=0.4, state="failed")
    searched(tmp_path)
    (answer,) = analysis_of(tmp_path).answers
    assert answer.best is not None
    assert (answer.metric, answer.best.model, answer.best.values, answer.best.selected.mean) == (
        "return_value",
        "resnet",
        {"lr": 0.2},
        1.0,
    )
    assert answer.states == {"completed": 3, "failed": 1}
    assert answer.command == "python app.py lr=0.2 seed=0 model=resnet"
    steps = [command for step in answer.next_steps for command in step.commands]
    assert all("num_epochs" not in command for command in steps)
    assert f"python -m ddrsa.sweep resume {tmp_path}" in steps


def test_a_number_too_large_for_a_float_stops_nothing(tmp_path: Path) -> None:
    for number in range(2):
        directory = run(tmp_path, number, 10**400 if number else 2.0, x=number)
        (directory / "results.json").write_text(json.dumps({"n": 10**400, "loss": 1.0 + number}))
    (answer,) = analysis_of(tmp_path, "loss").answers
    assert answer.best is not None
    assert answer.best.values == {"x": 0}


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_what_a_search_maximizes_is_better_the_higher_it_is(tmp_path: Path, direction: str) -> None:
    for number in range(3):
        run(tmp_path, number, float(number), x=number)
    searched(tmp_path, direction=direction, n_trials=3)
    (answer,) = analysis_of(tmp_path).answers
    assert answer.best is not None
    assert answer.best.values == {"x": 2 if direction == "maximize" else 0}
    assert metric("return_value").higher_is_better == (direction == "maximize")
    set_maximized(())


def test_several_objectives_have_columns_of_their_own(tmp_path: Path) -> None:
    run(tmp_path, 0, [1.0, 5.0], x=1)
    run(tmp_path, 1, [2.0, 7.0], x=2)
    searched(tmp_path, direction=["minimize", "maximize"])
    (answer,) = analysis_of(tmp_path, "return_value_1").answers
    assert answer.best is not None
    assert answer.best.values == {"x": 2}
    set_maximized(())


@pytest.mark.parametrize("state", ["completed", None])
def test_numbers_in_json_files_are_metrics(tmp_path: Path, state: str | None) -> None:
    for number, accuracy in enumerate([0.5, 0.9]):
        directory = run(tmp_path, number, state=state, x=number)
        content = {"test": {"acc": accuracy, "done": True, "curve": [1, 2]}, "config": {"lr": 1}, "name": "a", "n": 7}
        (directory / "results.json").write_text(json.dumps(content))
        (directory / "more.json").write_text(json.dumps({"n": 8}))
        (directory / "list.json").write_text("[1, 2]")
    analysis = analysis_of(tmp_path, "test.acc")
    assert set(analysis.sweep.metrics) == {"test.acc", "results.n", "more.n"}
    (answer,) = analysis.answers
    assert answer.best is not None
    assert (answer.best.values, answer.best.selected.mean) == ({"x": 1}, 0.9)
    assert answer.higher_is_better
    (undecided,) = analysis_of(tmp_path).answers
    (note,) = undecided.notes
    assert note.endswith("choose another with metric=NAME, these have more.n, results.n, test.acc")


def test_a_json_file_that_cannot_be_read_is_spoken_of(tmp_path: Path) -> None:
    directory = run(tmp_path, 0, 1.0, x=1)
    (directory / "results.json").write_text("{")
    (row,) = analysis_of(tmp_path).sweep.runs.to_dict("records")
    assert row["state"] == "completed"
    assert row["reason"].startswith("results.json cannot be read: Expecting")
    assert row["log"] == str(directory / "app.log")


def test_hydras_launchers_leave_nothing_to_choose_by(tmp_path: Path) -> None:
    run(tmp_path, 0, state=None, x=1)
    (answer,) = analysis_of(tmp_path).answers
    assert answer.states == {"pending": 1}
    assert "Hydra's own launchers do not keep what a run returned" in answer.notes[0]


def test_a_run_of_the_project_without_its_metrics_is_still_unreadable(tmp_path: Path) -> None:
    run(tmp_path, 0, 1.0, lookback=8, horizon=16, lambda_param=0.5)
    (row,) = analysis_of(tmp_path).sweep.runs.to_dict("records")
    assert row["state"] == "unreadable"
    assert "test_metrics.json is missing" in row["reason"]


def test_the_command_draws_what_it_can(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(9):
        run(tmp_path, number, abs(number - 4.0), x=number, y=number % 2)
    analyze_command(Options(sweep_dir=str(tmp_path)))
    printed = capsys.readouterr().out
    assert "return value 0 as the run reports it, lower is better" in " ".join(printed.split())
    assert "Not drawn, as these runs are no models of ddrsa: cost_quality" in printed
    drawn = {file.stem for file in (tmp_path / "analysis_plots").glob("*.png")}
    assert drawn == {"hyperparameter_importance", "parallel_coordinates"}
    assert (tmp_path / "report.html").exists()
    assert "x: 4" in (tmp_path / "best.yaml").read_text()


def test_an_app_without_models_is_shown_no_table_and_no_plot_of_them(tmp_path: Path) -> None:
    for number in range(3):
        run(tmp_path, number, float(number), x=number)
    analysis = analysis_of(tmp_path)
    (answer,) = analysis.answers
    assert answer.best is not None
    assert answer.by_model == []
    with pytest.raises(NotDrawn, match="the runs name no model"):
        model_comparison(analysis)


def test_runs_without_any_number_are_told_so(tmp_path: Path) -> None:
    for number in range(2):
        run(tmp_path, number, None, x=number)
    (answer,) = analysis_of(tmp_path).answers
    assert answer.notes == ["no completed run has returned a number, or left one in a JSON file of its directory"]


def test_seeds_of_a_group_are_repeats(tmp_path: Path) -> None:
    for number in range(6):
        run(tmp_path, number, float(number), lr=number // 3, training={"seed": number % 3}, fold=0)
    (answer,) = analysis_of(tmp_path).answers
    assert answer.best is not None
    assert (answer.best.values, answer.best.selected.mean, answer.best.selected.n) == ({"lr": 0}, 1.0, 3)


@pytest.mark.parametrize(
    ("name", "higher"),
    [
        *(("test_mean_score", True), ("eval/success", True), ("f1", True)),
        *(("brier_score", False), ("nasa_score", False), ("fid_score", False), ("test/loss_score", False)),
    ],
)
def test_a_name_says_which_direction_is_better(name: str, higher: bool) -> None:
    assert name_says_higher(name) == higher


def test_one_configuration_without_a_name_is_called_by_none(tmp_path: Path) -> None:
    for number in range(2):
        run(tmp_path, number, float(number), seed=number)
    (answer,) = analysis_of(tmp_path).answers
    assert sentences(answer)[0].startswith("There is one configuration: return value 0.50 ± 0.71")
