"""analyze.py as a process, over real run directories."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from analysis_runs import MakeRun, metrics
from generated_sweep import grid, write_sweep
from programs import ANALYSIS, run_program

# What a sweep over the learning rate, cut off half-way, suffices for.
PLOTTED = (
    *("model_comparison", "policy_tradeoff", "parallel_coordinates", "learning_rate_analysis"),
    *(f"{metric}_vs_hyperparameters" for metric in ("rul_mae", "rul_rmse", "concordance_index")),
)
ANALYZE = Path(__file__).parents[2] / "analyze.py"


def analyze(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "HYDRA_FULL_ERROR")}
    return run_program(ANALYZE, *arguments, imports=ANALYSIS, cwd=cwd, env=environment | {"CI": "true"})


def files(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


def test_half_done_sweep(tmp_path: Path, sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", result=metrics(10.25, 12.5, 0.75), learning_rate=0.0003)
    make_run("lstm", result=metrics(11.25, 13.5, 0.5), learning_rate=0.001)
    failed = make_run("gru", state="failed", error="ValueError: [/red] is no markup here", learning_rate=0.001)
    failed.log.write_text("the log")
    make_run("gru", state="running", learning_rate=0.0003)
    make_run("gru", learning_rate=0.0003).status.write_text("{")
    before = files(sweep_dir)

    result = analyze("hydra.sweep.dir=sweep", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "sweep: 5 runs: 2 completed, 1 failed, 1 running, 1 unreadable" in result.stdout
    assert "failed: logs/simulated/gru/run002\n  ValueError: [/red] is no markup here\n" in result.stdout
    assert f"log: {failed.log.relative_to(tmp_path)}\n" in result.stdout
    assert "is not valid JSON" in result.stdout
    assert "learning_rate=0.0003" in result.stdout
    for value in ("10.25", "12.5", "0.75"):
        assert value in result.stdout
    assert "simulated: the best of 2 configurations is lstm learning_rate=0.0003" in " ".join(result.stdout.split())
    table = result.stdout.partition("The best of each model")[2].partition("To ")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    assert "…" not in result.stdout
    tables = {
        "summary_statistics.csv",
        "best_configurations.csv",
        "runs.csv",
        "failures.csv",
        "best.yaml",
        "report.html",
    }
    plots = {f"analysis_plots/{name}.{suffix}" for name in PLOTTED for suffix in ("png", "svg")}
    assert files(sweep_dir) - before == tables | plots
    assert "Not drawn: batch_size_analysis: batch_size was not swept\n" in result.stdout
    assert "visualize=true\n" in result.stdout
    # Nothing of Hydra's beside the sweep.
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}


def test_nothing_completed(tmp_path: Path, sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(state="running")
    result = analyze("hydra.sweep.dir=sweep", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "1 run: 1 running" in result.stdout
    assert "Not drawn: model_comparison" in result.stdout
    assert not (sweep_dir / "analysis_plots").exists()


def test_other_metric_and_units(tmp_path: Path, make_run: MakeRun) -> None:
    make_run(result={"nll": 1.0, "validation": {"rul_mae": math.nan}}, batch_size=32)
    make_run(result={"nll": 2.0, "validation": {"rul_mae": math.nan}}, batch_size=64)
    result = analyze("hydra.sweep.dir=sweep", cwd=tmp_path)
    assert "no completed run has a number for rul_mae; choose another with metric=NAME" in " ".join(
        result.stdout.split()
    )
    result = analyze("hydra.sweep.dir=sweep", "metric=nll", "select_by=test", cwd=tmp_path)
    said = " ".join(result.stdout.split())
    assert "lstm batch_size=32: Negative log-likelihood 1 nats per window on the test units" in said


def test_two_sweeps(tmp_path: Path) -> None:
    values = {"model": ["lstm"], "seed": [0, 1]}
    for name in ("before", "after"):
        write_sweep(tmp_path / name, grid(values))
    before = files(tmp_path)
    result = analyze("sweeps=[before,after]", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "before: 2 runs: 2 completed\nafter: 2 runs: 2 completed\n" in result.stdout
    written = files(tmp_path) - before
    directory = "multirun/comparisons/before+after/"
    assert all(path.startswith(directory) for path in written)
    assert {f"{directory}sweep_comparison.csv", f"{directory}analysis_plots/sweep_comparison.png"} <= written


def test_newest_sweep(tmp_path: Path, sweep_dir: Path, make_run: MakeRun) -> None:
    make_run()
    old, new = tmp_path / "multirun" / "2026-01-02" / "b", tmp_path / "multirun" / "2026-01-02" / "a"
    for age, path in ((1000, new), (2000, old)):
        path.mkdir(parents=True)
        (path / "multirun.yaml").touch()
        os.utime(path / "multirun.yaml", (10_000 - age, 10_000 - age))
    sweep_dir.joinpath("logs").rename(new / "logs")
    result = analyze(cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"the newest sweep is {new.relative_to(tmp_path)}\n" in result.stdout
    assert (new / "best_configurations.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "error: there is no sweep below multirun/ here: name one, hydra.sweep.dir=DIR"),
        (["hydra.sweep.dir=nowhere"], "error: hydra.sweep.dir=nowhere: there is no such directory"),
        (
            ["hydra.sweep.dir=sweep"],
            "error: hydra.sweep.dir=sweep: it holds no run (a directory with .hydra/config.yaml)",
        ),
        (["sweeps=[sweep]"], "error: sweeps: at least two are needed; hydra.sweep.dir=DIR reads one"),
        (["sweeps=[sweep,nowhere]"], "error: sweeps=sweep: it holds no run (a directory with .hydra/config.yaml)"),
        (["sweeps=sweep"], "error: sweeps=sweep: a list of directories is expected, 'sweeps=[DIR1,DIR2]'"),
        (["sweeps=[sweep,sweep]"], "error: sweeps: sweep is given twice"),
        (["hydra.sweep.dir=sweep", "select_by=luck"], "error: select_by=luck: allowed are validation and test"),
        (["hydra.sweep.dir=sweep", "watch=maybe"], "error: watch=maybe: allowed are true and false"),
        (["batch_size=3"], "error: Could not override 'batch_size'. Key 'batch_size' is not in struct."),
    ],
)
def test_usage_errors(tmp_path: Path, sweep_dir: Path, arguments: list[str], line: str) -> None:
    result = analyze(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"{line}\n")
    assert files(tmp_path) == set()
    assert list(sweep_dir.iterdir()) == []


@pytest.mark.parametrize("argument", ["--multirun", "hydra.mode=MULTIRUN"])
def test_multirun_does_not_touch_the_sweep(tmp_path: Path, sweep_dir: Path, make_run: MakeRun, argument: str) -> None:
    make_run()
    (sweep_dir / "multirun.yaml").write_text("of the sweep")
    before = files(sweep_dir)
    result = analyze("hydra.sweep.dir=sweep", argument, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: analyze.py reads one sweep at a time")
    assert (files(sweep_dir), (sweep_dir / "multirun.yaml").read_text()) == (before, "of the sweep")


@pytest.mark.slow  # the contracts of import-linter say the same of our own modules
def test_torch_is_not_imported(tmp_path: Path, make_run: MakeRun) -> None:
    make_run()
    code = (
        "import pkgutil, runpy, sys, ddrsa.analysis\n"
        "for module in pkgutil.walk_packages(ddrsa.analysis.__path__, 'ddrsa.analysis.'): __import__(module.name)\n"
        f"sys.argv = ['analyze.py', 'hydra.sweep.dir=sweep']\n"
        "try:\n"
        f"    runpy.run_path({str(ANALYZE)!r}, run_name='__main__')\n"
        "except SystemExit as exit:\n"
        "    assert exit.code == 0, exit.code\n"
        "print('imported:', [name for name in ('torch', 'ddrsa.sweep.launcher') if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True, check=True)
    assert result.stdout.splitlines()[-1] == "imported: []"
