"""analyze.py as a process, over real run directories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from analysis_runs import MakeRun, metrics

ANALYZE = Path(__file__).parents[2] / "analyze.py"


def analyze(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "HYDRA_FULL_ERROR")}
    return subprocess.run(
        [sys.executable, str(ANALYZE), *arguments],
        cwd=cwd,
        env=environment | {"CI": "true"},
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


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
    table = result.stdout.partition("Best configurations")[2].partition("Written:")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    assert "…" not in result.stdout
    assert files(sweep_dir) - before == {
        "summary_statistics.csv",
        "best_configurations.csv",
        "analysis_plots/model_comparison.png",
        "analysis_plots/model_comparison.svg",
    }
    # Nothing of Hydra's beside the sweep.
    assert {path.name for path in tmp_path.iterdir()} == {"sweep"}


def test_nothing_completed(tmp_path: Path, sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(state="running")
    result = analyze("hydra.sweep.dir=sweep", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "1 run: 1 running" in result.stdout
    assert "Not drawn: model_comparison" in result.stdout
    assert not (sweep_dir / "analysis_plots").exists()


def test_criterion_without_a_number_is_said(tmp_path: Path, make_run: MakeRun) -> None:
    make_run(result={"rul_mae": 1.0, "rul_rmse": float("nan")})
    result = analyze("hydra.sweep.dir=sweep", cwd=tmp_path)
    assert "No completed run of simulated, lstm has a number for rul_rmse, concordance_index." in result.stdout


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


def test_torch_is_not_imported(tmp_path: Path, make_run: MakeRun) -> None:
    make_run()
    code = (
        "import pkgutil, runpy, sys, ddrsa.analysis\n"
        "for module in pkgutil.iter_modules(ddrsa.analysis.__path__, 'ddrsa.analysis.'): __import__(module.name)\n"
        f"sys.argv = ['analyze.py', 'hydra.sweep.dir=sweep']\n"
        "try:\n"
        f"    runpy.run_path({str(ANALYZE)!r}, run_name='__main__')\n"
        "except SystemExit as exit:\n"
        "    assert exit.code == 0, exit.code\n"
        "print('imported:', [name for name in ('torch', 'ddrsa.sweep', 'matplotlib.pyplot') if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True, check=True)
    assert result.stdout.splitlines()[-1] == "imported: []"
