from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.show.run_view import RunView
from ddrsa.sweep.show.summary import best_runs, print_summary

RANK_BY = {"validation.nll": "validation NLL", "rul_rmse": "RUL RMSE"}


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
    criterion, best = best_runs(runs, {}, RANK_BY)
    assert (criterion, [(number, run.name) for number, run in best]) == ("validation NLL", [(2.0, "b"), (3.0, "a")])
    criterion, best = best_runs(runs[2:], {}, RANK_BY)
    assert (criterion, [run.name for _, run in best]) == ("RUL RMSE", ["c"])
    criterion, best = best_runs(runs, {}, {})
    assert (criterion, [run.name for _, run in best]) == ("value", ["a", "b"])


def test_a_task_without_metrics_is_judged_by_its_value(tmp_path: Path) -> None:
    runs = [view(tmp_path, "a", value=2.0), view(tmp_path, "b"), view(tmp_path, "c", value="text")]
    values = {tmp_path / "b": 1}
    criterion, best = best_runs(runs, values, RANK_BY)
    assert (criterion, [(number, run.name) for number, run in best]) == ("value", [(1.0, "b"), (2.0, "a")])
    assert best_runs([view(tmp_path, "e", value=True)], {}, {})[1] == []


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
