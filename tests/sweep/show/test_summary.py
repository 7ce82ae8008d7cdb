from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.show.run_view import RunView
from ddrsa.sweep.show.summary import best_runs, print_summary

SHOWN = Presentation(rank_by={"validation.nll": "validation NLL", "rul_rmse": "RUL RMSE"})


def view(root: Path, name: str, state: State = State.COMPLETED, metrics: Any = None, value: Any = None) -> RunView:
    run = RunDirectory(root / name)
    run.path.mkdir()
    write_json(run.status, {"state": state, "return_value": value})
    if metrics is not None:
        write_json(run.test_metrics, metrics)
    reason = None if state is State.COMPLETED else "ValueError: too long " + "and longer " * 20
    return RunView(name, run.path, state=state, reason=reason)


def test_the_first_metric_of_the_list_that_runs_have_decides(tmp_path: Path) -> None:
    runs = [
        view(tmp_path, "a", metrics={"rul_rmse": 1.0, "validation": {"nll": 3.0}}, value=0.0),
        view(tmp_path, "b", metrics={"rul_rmse": 2.0, "validation": {"nll": 2.0}}, value=9.0),
        view(tmp_path, "c", metrics={"rul_rmse": 0.0, "validation": {"nll": None}}),
        view(tmp_path, "d", State.FAILED, metrics={"validation": {"nll": 0.1}}),
    ]
    criterion, best = best_runs(runs, {}, SHOWN)
    assert (criterion, [(number, run.name) for number, run in best]) == (
        "validation NLL (lowest first)",
        [(2.0, "b"), (3.0, "a")],
    )
    criterion, best = best_runs(runs[2:], {}, SHOWN)
    assert (criterion, [run.name for _, run in best]) == ("RUL RMSE (lowest first)", ["c"])
    criterion, best = best_runs(runs, {}, Presentation())
    assert (criterion, [run.name for _, run in best]) == ("value (lowest first)", ["a", "b"])


def test_a_task_without_metrics_is_judged_by_its_value(tmp_path: Path) -> None:
    runs = [view(tmp_path, "a", value=2.0), view(tmp_path, "b"), view(tmp_path, "c", value="text")]
    values = {tmp_path / "b": 1}
    criterion, best = best_runs(runs, values, SHOWN)
    assert (criterion, [(number, run.name) for number, run in best]) == (
        "value (lowest first)",
        [(1.0, "b"), (2.0, "a")],
    )
    assert best_runs([view(tmp_path, "e", value=True)], {}, Presentation())[1] == []


def test_a_number_too_large_for_a_float_is_no_rank(tmp_path: Path) -> None:
    runs = [view(tmp_path, "a", metrics={"rul_rmse": 10**400}), view(tmp_path, "b", metrics={"rul_rmse": 2})]
    _, best = best_runs(runs, {}, SHOWN)
    assert [(number, run.name) for number, run in best] == [(2.0, "b")]


def test_what_any_of_the_runs_could_not_keep_is_named_once(tmp_path: Path) -> None:
    runs = [view(tmp_path, name) for name in "abc"]
    for run, left_out in zip(runs, [["Linear"], ["Linear", "n (Decimal)"], []], strict=True):
        run.status = {"return_value_left_out": left_out}
    output = io.StringIO()
    print_summary(Console(file=output, width=200), runs)
    assert "of what 2 of 3 runs returned this cannot be kept: Linear, n (Decimal)\n" in output.getvalue()


@pytest.mark.parametrize(
    ("value_name", "direction", "highest"),
    [
        (None, None, False),
        ("test.accuracy", None, True),
        ("test.loss", None, False),
        ("test.accuracy", "minimize", False),
        (None, "maximize", True),
    ],
)
def test_the_best_is_the_highest_where_the_name_or_the_direction_says_so(
    tmp_path: Path, value_name: str | None, direction: str | None, highest: bool
) -> None:
    runs = [view(tmp_path, "a", value=1e-5), view(tmp_path, "b", value=0.9)]
    shown = Presentation(value_name=value_name, direction=direction)
    stream = io.StringIO()
    print_summary(Console(file=stream, width=80), runs, {}, None, shown)
    header, first, *_ = stream.getvalue().splitlines()[2:]
    assert header.split() == [value_name or "value", "(highest" if highest else "(lowest", "first)", "run"]
    assert first.split() == (["0.9", "b"] if highest else ["1e-05", "a"])


def test_eighty_columns_but_for_the_paths(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / ("deep" * 20)
    root.mkdir()
    runs = [view(root, f"model=lstm batch_size={number}", value=number) for number in range(7)]
    runs += [view(root, f"failed{number}", State.TIMED_OUT) for number in range(22)]
    stream = io.StringIO()
    print_summary(Console(file=stream, width=80), runs)
    lines = stream.getvalue().splitlines()
    paths = [line for line in lines if root.name in line]
    assert all(len(line) <= 80 for line in lines if line not in paths)
    assert lines[0] == "29 runs: 7 completed, 22 timed out"
    assert "best 5 of 29 runs" in lines[1]
    assert paths[0] == f"the best: {root.name}/model=lstm batch_size=0"
    assert paths[1].strip() == f"{root.name}/failed0/run.log"
    assert "22 of 29 runs failed" in lines
    assert lines[-1] == "  and 2 more: see all_results.json"
