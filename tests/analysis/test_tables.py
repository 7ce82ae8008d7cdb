"""The tables against the statistics module and hand-picked best configurations."""

from __future__ import annotations

import csv
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from analysis_runs import MakeRun, metrics, result
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ddrsa.analysis.analysis import analyze, write_analysis
from ddrsa.analysis.collect import collect
from ddrsa.analysis.configurations import Configurations
from ddrsa.analysis.criterion import Choice, Criterion
from ddrsa.analysis.tables import best_configurations, failures_table, runs_table, summary_statistics, write_tables
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json


def best_of(path: Path, selection: Criterion | None = None) -> pd.DataFrame:
    sweep = collect(path)
    return best_configurations(sweep, selection or Criterion(), Configurations(sweep))


def test_summary_of_known_runs(sweep_dir: Path, make_run: MakeRun) -> None:
    for rul_mae in (10.0, 13.0, 19.0, math.nan):
        make_run("lstm", result=metrics(rul_mae, 12, 0.8))
    make_run("gru", result=metrics(7.0, 8.0, 0.9))
    make_run("gru", state="failed", error="x")
    table: Any = summary_statistics(collect(sweep_dir)).set_index(["dataset", "model", "metric", "units"])
    assert table.pop("unit").loc[("simulated", "lstm", "rul_mae", "test")] == "cycles"

    lstm = table.loc[("simulated", "lstm", "rul_mae", "test")]
    assert list(lstm[:5]) == pytest.approx([3, 14.0, math.sqrt(21), 10.0, 19.0])
    assert 10.0 <= lstm["ci_low"] < 14.0 < lstm["ci_high"] <= 19.0
    assert list(table.loc[("simulated", "lstm", "rul_mae", "validation")]) == pytest.approx(list(lstm))
    gru = table.loc[("simulated", "gru", "rul_mae", "test")]
    assert list(gru) == pytest.approx([1, 7.0, math.nan, 7.0, 7.0, math.nan, math.nan], nan_ok=True)
    assert ("simulated", "gru", "n_parameters", "") in table.index


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
    assert list(table.iloc[0, 4:9]) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_best_configurations(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", result=metrics(math.nan, 5.0, math.nan), batch_size=1, grad_clip=None)
    make_run("lstm", result=metrics(11.0, 20.0, 0.9), batch_size=2, grad_clip=None)
    for seed, rul_mae in ((0, 9.0), (1, 11.0)):
        make_run("lstm", result=metrics(rul_mae, 21.0, 0.7, nasa_score=3), batch_size=3, grad_clip=1.5, seed=seed)
    make_run("lstm", result=metrics(10.0, 22.0, 0.6), batch_size=4, grad_clip=1.5)
    make_run("lstm", state="failed", batch_size=5, error="x")
    make_run("gru", result=metrics(1.0, 1.0, math.nan), batch_size=6, grad_clip=1.5)
    # A result that was left behind by an attempt which then did not complete does not count.
    write_json(make_run("gru", state="pruned", batch_size=7).test_metrics, metrics(0.1, 0.1, 1.0))

    best = best_of(sweep_dir)
    found = {(row["model"], row["criterion"]): (row["batch_size"], row["grad_clip"]) for row in best.to_dict("records")}
    assert found == {
        ("lstm", "rul_mae"): (3, 1.5),
        ("lstm", "rul_rmse"): (1, "null"),
        ("lstm", "concordance_index"): (2, "null"),
        ("gru", "rul_mae"): (6, 1.5),
        ("gru", "rul_rmse"): (6, 1.5),
    }
    row = best[(best["model"] == "lstm") & (best["criterion"] == "rul_mae")].iloc[0]
    assert (row["select_by"], row["mean"], row["n"], row["seeds"]) == ("validation", 10.0, 2, "0 1")
    assert row["std"] == row["rul_mae_std"] == pytest.approx(math.sqrt(2))
    assert row["directories"] == "logs/simulated/lstm/run002 logs/simulated/lstm/run003"
    assert row["nasa_score_mean"] == 3


def test_the_table_says_what_selected(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(batch_size=32, result={**result(5.0, test_mae=9.0), "oti": []})
    make_run(batch_size=64, result=result(6.0, test_mae=8.0))
    for select_by, batch_size in (("validation", 32), ("test", 64)):
        table = best_of(sweep_dir, Criterion("rul_mae", select_by)).set_index("criterion")
        assert list(table.loc["rul_mae", ["select_by", "batch_size"]]) == [select_by, batch_size]


def test_another_metric_has_a_row_too(sweep_dir: Path, make_run: MakeRun) -> None:
    for accuracy in (0.5, 0.75):
        make_run(result={"accuracy": accuracy, "validation": {"accuracy": accuracy}}, x=accuracy)
    best = best_of(sweep_dir, Criterion("accuracy"))
    assert best[["criterion", "mean", "x"]].to_numpy().tolist() == [["accuracy", 0.75, 0.75]]


def test_runs_and_failures(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", batch_size=32, grad_clip=None)
    failed = make_run("lstm", batch_size=64, grad_clip=1.0, state="failed", error="Traceback\nMemoryError: x")
    failed.log.write_text("")
    make_run("gru", state="pending")
    sweep = collect(sweep_dir)
    runs, failures = runs_table(sweep), failures_table(sweep)
    assert len(runs) == 3
    assert list(runs.columns[:3]) == ["directory", "dataset", "model"]
    assert {"state", "batch_size", "rul_mae", "validation_rul_mae", "gpu_index", "started_at", "wall_seconds"} <= set(
        runs
    )
    assert list(runs["grad_clip"].fillna("")) == ["", "null", 1.0]
    (row,) = failures.to_dict("records")
    assert (row["state"], row["reason"], row["log"]) == ("failed", "MemoryError: x", str(failed.log))


def test_no_completed_run_gives_empty_tables(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(state="running")
    assert summary_statistics(collect(sweep_dir)).empty
    assert best_of(sweep_dir).empty


def test_best_yaml_holds_the_command(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(batch_size=32, result=result(1.0))
    make_run(batch_size=64, result=result(2.0))
    analysis = analyze({"": sweep_dir}, sweep_dir, Choice())
    assert [path.name for path in write_analysis(analysis)] == [
        *("summary_statistics.csv", "best_configurations.csv", "runs.csv", "failures.csv", "best.yaml")
    ]
    (best,) = yaml.safe_load((sweep_dir / "best.yaml").read_text())
    assert best["command"] == analysis.answers[0].command
    assert (best["values"], best["select_by"], best["verdict"]) == ({"batch_size": 32}, "validation", "unknown")
    for run in sweep_dir.rglob("test_metrics.json"):
        run.unlink()
    write_analysis(analyze({"": sweep_dir}, sweep_dir, Choice()))
    assert not (sweep_dir / "best.yaml").exists()


def test_csv_keeps_whole_numbers_and_leaves_no_other_file(tmp_path: Path) -> None:
    table = pd.DataFrame({"batch_size": [64, 128], "name": ["a, b", 'c"d']}, dtype=object)
    assert write_tables({"table": table}, tmp_path) == [tmp_path / "table.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    with (tmp_path / "table.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [["batch_size", "name"], ["64", "a, b"], ["128", 'c"d']]
