"""Watching a sweep: when it is read again, and when it is over."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from analysis_runs import MakeRun, metrics

from ddrsa.analysis.watch import Watched, watch
from ddrsa.rundir.files import write_json

ANALYZE = Path(__file__).parents[2] / "analyze.py"


def test_renewed_once_for_each_run_that_ends(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run()
    running = make_run(state="running")
    renewals: list[int] = []
    steps: list[Callable[[], object]] = [
        lambda: running.update(epoch=2),
        lambda: running.end("completed"),
        lambda: None,
        lambda: make_run(state="failed", error="x"),
        *[lambda: None] * 20,
    ]
    done = []

    def sleep(_: float) -> None:
        done.append(len(renewals))
        steps[len(done) - 1]()

    watch([sweep_dir], lambda: renewals.append(len(done)), interval=1, patience=3, sleep=sleep)
    # At once, after the second and after the fourth step; then three quiet seconds.
    assert renewals == [0, 2, 4]
    assert len(done) == 7


def test_a_running_run_keeps_the_watch(sweep_dir: Path, make_run: MakeRun) -> None:
    run = make_run(state="running")
    looks = []

    def sleep(_: float) -> None:
        looks.append(1)
        if len(looks) == 50:
            run.end("interrupted")

    watch([sweep_dir], lambda: None, interval=1, patience=3, sleep=sleep)
    assert len(looks) > 50


def test_damaged_and_missing_status(sweep_dir: Path, make_run: MakeRun) -> None:
    damaged, pending = make_run(), make_run(state="pending")
    damaged.status.write_text("{")
    ended, running = Watched([sweep_dir]).look()
    assert (ended, running) == ({damaged.path: "unreadable"}, False)
    assert not pending.status.exists()


@pytest.mark.parametrize("interrupt", [True, False])
def test_the_command(tmp_path: Path, sweep_dir: Path, make_run: MakeRun, interrupt: bool) -> None:
    for seed in range(5):
        make_run(batch_size=32, seed=seed, result=metrics(1, 1, 0.9))
        make_run(batch_size=128, seed=seed, result=metrics(5 + seed, 1, 0.9))
    # It runs in this very process, so it is alive.
    run = make_run(batch_size=64, state="running")
    command = [sys.executable, "-c", _quick(), "hydra.sweep.dir=sweep", "watch=true"]
    process = subprocess.Popen(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        runs = sweep_dir / "runs.csv"
        _wait(lambda: runs.exists() and "running" in runs.read_text())
        write_json(run.test_metrics, metrics(1, 1, 0.9))
        run.end("completed")
        _wait(lambda: "running" not in runs.read_text())
        if interrupt:
            process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    if interrupt:
        assert (process.returncode, errors) == (130, "interrupted\n")
    else:
        assert (process.returncode, errors) == (0, "")
        assert output.rstrip().endswith("no run is under way any more")
    assert "interval that holds at every look" in " ".join(output.split())


def _quick() -> str:
    """analyze.py with another patience, so that the test ends."""
    return (
        "import runpy, sys, ddrsa.analysis.watch as watch, ddrsa.analysis.plots as plots\n"
        "watch.watch.__kwdefaults__.update(interval=0.2, patience=2.0)\n"
        "plots.DRAW.clear()\n"
        f"sys.argv[0] = {str(ANALYZE)!r}\n"
        f"runpy.run_path({str(ANALYZE)!r}, run_name='__main__')\n"
    )


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
