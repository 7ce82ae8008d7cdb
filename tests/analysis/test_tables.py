"""The tables against the statistics module and hand-picked best runs."""

from __future__ import annotations

import csv
import math
import statistics
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from analysis_runs import MakeRun, metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ddrsa.analysis.collect import collect
from ddrsa.analysis.tables import best_configurations, summary_statistics, write_tables
from ddrsa.rundir import RunDirectory, write_json


def test_summary_of_known_runs(sweep_dir: Path, make_run: MakeRun) -> None:
    for rul_mae in (10.0, 13.0, 19.0, math.nan):
        make_run("lstm", result=metrics(rul_mae, 12, 0.8))
    make_run("gru", result=metrics(7.0, 8.0, 0.9))
    make_run("gru", state="failed", error="x")
    table = summary_statistics(collect(sweep_dir)).set_index(["dataset", "model", "metric"])

    lstm = table.loc[("simulated", "lstm", "rul_mae")]
    assert list(lstm) == pytest.approx([3, 14.0, math.sqrt(21), 10.0, 19.0])
    gru = table.loc[("simulated", "gru", "rul_mae")]
    assert list(gru) == pytest.approx([1, 7.0, math.nan, 7.0, 7.0], nan_ok=True)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6))
def test_summary_equals_the_statistics_module(values: list[float]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for i, value in enumerate(values):
            run = RunDirectory(Path(directory) / f"run{i}")
            run.config.parent.mkdir(parents=True)
            OmegaConf.save({"dataset": {"name": "d"}, "model": {"name": "m"}}, run.config)
            run.begin(str(i))
            run.end("completed")
            write_json(run.test_metrics, {"rul_mae": value})
        table = summary_statistics(collect(directory))
    expected = [len(values), statistics.fmean(values), statistics.stdev(values), min(values), max(values)]
    assert list(table.iloc[0, 3:]) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_best_configurations(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", result=metrics(math.nan, 5.0, math.nan), batch_size=1, grad_clip=None)
    make_run("lstm", result=metrics(11.0, 20.0, 0.9), batch_size=2, grad_clip=None)
    make_run("lstm", result=metrics(10.0, 21.0, 0.7), batch_size=3, grad_clip=1.5)
    make_run("lstm", result=metrics(10.0, 22.0, 0.6), batch_size=4, grad_clip=1.5)
    make_run("lstm", state="failed", batch_size=5, error="x")
    make_run("gru", result=metrics(1.0, 1.0, math.nan), batch_size=6, grad_clip=1.5)
    # A result that was left behind by an attempt which then did not complete does not count.
    write_json(make_run("gru", state="pruned", batch_size=7).test_metrics, metrics(0.1, 0.1, 1.0))

    best = best_configurations(collect(sweep_dir))
    found = {(row["model"], row["criterion"]): (row["batch_size"], row["grad_clip"]) for row in best.to_dict("records")}
    assert found == {
        ("lstm", "rul_mae"): (3, 1.5),
        ("lstm", "rul_rmse"): (1, "null"),
        ("lstm", "concordance_index"): (2, "null"),
        ("gru", "rul_mae"): (6, 1.5),
        ("gru", "rul_rmse"): (6, 1.5),
    }
    first = best.iloc[0]
    assert list(best.columns) == [
        *("dataset", "model", "criterion", "batch_size", "grad_clip"),
        *("rul_mae", "rul_rmse", "concordance_index", "best_validation_loss", "directory"),
    ]
    assert first["directory"] == "logs/simulated/gru/run005"


def test_no_completed_run_gives_empty_tables(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(state="running")
    sweep = collect(sweep_dir)
    assert summary_statistics(sweep).empty
    assert best_configurations(sweep).empty


def test_a_task_without_these_metrics(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(result={"accuracy": 0.75})
    sweep = collect(sweep_dir)
    assert summary_statistics(sweep)[["metric", "mean"]].to_numpy().tolist() == [["accuracy", 0.75]]
    assert best_configurations(sweep).empty


def test_csv_keeps_whole_numbers_and_leaves_no_other_file(tmp_path: Path) -> None:
    table = pd.DataFrame({"batch_size": [64, 128], "name": ["a, b", 'c"d']}, dtype=object)
    assert write_tables({"table": table}, tmp_path) == [tmp_path / "table.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    with (tmp_path / "table.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [["batch_size", "name"], ["64", "a, b"], ["128", 'c"d']]
