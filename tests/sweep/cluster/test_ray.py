"""`hydra/launcher=ray` on a cluster of two nodes on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from searches import Searches
from supervised import ROOT, Sweeps

from ddrsa.rundir.training import TrainingDirectory, find_trainings
from ddrsa.sweep.verify.bench import until
from ddrsa.sweep.watch import planned_runs

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.timeout(3600)]

PATIENCE = (
    900  # seconds: every worker of Ray is a new process that imports what the runs need, on a machine with other work
)


def kill_second_node(cluster: Any) -> None:
    (node,) = cluster.worker_nodes
    cluster.remove_node(node, allow_graceful=False)


def test_what_goes_wrong_in_one_run_leaves_the_others_alone(sweeps: Sweeps, on_ray: list[str]) -> None:
    wrong = ["raise", "segfault", "kill", "exit", "os exit", "not picklable", "prune", "sleep", "raise once"]
    sweeps.do(dict(enumerate(wrong, start=1)))
    exit_code, output = sweeps.run("x=range(11)", *on_ray, "hydra.launcher.retries=1", "hydra.launcher.timeout=0.15")
    assert exit_code == 1, output
    statuses = {number: sweeps.status(f"x{number}") for number in range(11)}
    assert {number: (status["state"], status["error"]) for number, status in statuses.items()} == {
        0: ("completed", None),
        1: ("failed", "ValueError: raised on purpose"),
        2: ("killed", "killed by SIGSEGV"),
        3: ("killed", "killed by SIGKILL"),
        4: ("failed", "the task called sys.exit(3)"),
        5: ("failed", "the process ended with exit code 0 before the task returned"),
        6: ("failed", "NotPicklable: ab"),
        7: ("pruned", None),
        8: ("timed_out", "it took longer than timeout=0.15 minutes"),
        9: ("completed", None),
        10: ("completed", None),
    }
    assert {number: statuses[number]["attempt"] for number in (0, 1, 3, 9)} == {0: 1, 1: 2, 3: 2, 9: 2}
    assert {status["launcher"] for status in statuses.values()} == {"ray"}
    assert statuses[10]["return_value"] == 100
    assert "printed by 10" in (sweeps.path("x10").path / "output.log").read_text()
    assert sweeps.results()["counts"] == {"completed": 3, "failed": 4, "killed": 2, "pruned": 1, "timed_out": 1}
    assert "7 of 11 runs failed" in output
    until(lambda: all("sleep" not in " ".join(process.cmdline()) for process in sweeps.processes()), "a run goes on")


def test_gpus_are_those_that_ray_gives(sweeps: Sweeps, on_ray: list[str]) -> None:
    sweeps.do(dict.fromkeys(range(4), "wait"))
    sweep = sweeps.start("x=range(4)", *on_ray, "+hydra.launcher.ray.remote.num_gpus=1")
    until(lambda: len(sweeps.starts()) == 2, "no run has begun", PATIENCE)
    (sweeps.directory / "go").touch()
    exit_code, output = sweeps.finish(sweep, PATIENCE)
    assert exit_code == 0, output
    starts = sweeps.starts()
    # Each node has one GPU, and each run one of them to itself, without a lease.
    assert [start["environ"]["CUDA_VISIBLE_DEVICES"] for start in starts] == ["0"] * 4
    assert {start["environ"]["DDRSA_GIVEN_GPU"] for start in starts} == {"alone"}
    assert {start["environ"]["DDRSA_CPUS"] for start in starts} == {"1"}
    assert not (sweeps.directory / "leases").exists()
    assert starts[2]["at"] > (sweeps.directory / "go").stat().st_mtime


def test_interrupts(sweeps: Sweeps, on_ray: list[str]) -> None:
    sweeps.do(dict.fromkeys(range(6), "sleep"))
    sweep = sweeps.start("x=range(6)", *on_ray, "hydra.launcher.n_jobs=6")
    until(lambda: len(sweeps.starts()) == 4, "the runs have not begun", PATIENCE)
    sweeps.interrupt(sweep, signal.SIGINT, signal.SIGINT)
    output, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 130, output
    assert set(sweeps.states().values()) == {"interrupted"}
    assert len(sweeps.starts()) == 4

    # And what a killed launcher leaves behind, the next one does.
    sweep = sweeps.start("x=range(6)", *on_ray)
    until(lambda: len(sweeps.starts()) == 8, "the runs have not begun", PATIENCE)
    sweep.kill()
    sweep.wait()
    pids = [start["pid"] for start in sweeps.starts()[4:]]
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "runs outlive their launcher", PATIENCE)
    sweeps.do({})
    exit_code, output = sweeps.run("x=range(6)", *on_ray)
    assert exit_code == 0, output
    assert sweeps.results()["counts"] == {"completed": 6}


def test_a_run_that_another_launcher_does_is_left_to_it(sweeps: Sweeps, on_ray: list[str]) -> None:
    sweeps.do({1: "wait"})
    here = sweeps.start("x=1")
    until(lambda: len(sweeps.starts()) == 1, "the run has not begun", PATIENCE)
    there = sweeps.start("x=1,2,3", *on_ray)
    until(lambda: sweeps.states() == {"x1": "running", "x2": "completed", "x3": "completed"}, "no others", PATIENCE)
    (sweeps.directory / "go").touch()
    for process in (here, there):
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output
    assert sorted(start["x"] for start in sweeps.starts()) == [1, 2, 3]
    assert "left alone" in output


def test_a_search_asks_for_a_trial_as_soon_as_one_has_ended(searches: Searches, on_ray: list[str]) -> None:
    searches.do({})
    output = searches.require_that_no_trial_waits(*on_ray, "hydra.sweeper.n_jobs=2", "seconds=0.3", patience=PATIENCE)
    # Each has four steps of 0.3 s: what its node has measured is shown, though it may be seen only when it has ended.
    shown = re.findall(r"completed after (\d+) s", output)
    assert len(shown) == 5
    assert min(map(int, shown)) >= 1


def test_a_cluster_that_is_not_there_is_one_line(sweeps: Sweeps) -> None:
    exit_code, output = sweeps.run("x=0", "hydra/launcher=ray", "hydra.launcher.ray.init.address='127.0.0.1:1'")
    assert exit_code == 2, output
    assert "address=127.0.0.1:1: no Ray cluster answers there" in output.strip().splitlines()[-1]
    assert sweeps.starts() == []


def test_twelve_runs_though_a_node_dies(tmp_path: Path, cluster: Any, on_ray: list[str]) -> None:
    """With the project's own runs: the same command once more, and no epoch of any run was trained twice."""
    sweep_dir = tmp_path / "sweep"
    command = [sys.executable, str(ROOT / "train.py"), "-m", *on_ray, "device=cpu", "model=lstm,gru", "seed=range(6)"]
    command += ["dataset=simulated", "dataset.num_units=60", "num_epochs=12", "patience=12", "lookback=32"]
    command += ["horizon=32", f"hydra.sweep.dir={sweep_dir}"]
    options: dict[str, Any] = {
        "env": {**os.environ, "PYTHONPATH": str(ROOT)},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
    }
    first = subprocess.Popen(command, text=True, **options)
    until(lambda: any(status["epoch"] >= 5 for status in statuses(sweep_dir)), "no epochs", PATIENCE)
    # The display of others, from the files alone, while it runs.
    assert len(planned_runs(sweep_dir)) == 12
    kill_second_node(cluster)
    output, _ = first.communicate(timeout=2 * PATIENCE)
    assert first.returncode == 1, output
    killed = [status for status in statuses(sweep_dir) if status["state"] == "killed"]
    assert killed
    assert all("its node or its worker of Ray died" in status["error"] for status in killed)
    before = {run.path: run.training_log.read_text() for run in find_trainings(sweep_dir)}
    completed = {status["directory"] for status in statuses(sweep_dir) if status["state"] == "completed"}
    assert len(completed) + len(killed) == 12

    again = subprocess.run(command, text=True, timeout=2 * PATIENCE, check=False, **options)
    assert again.returncode == 0, again.stdout
    for run in find_trainings(sweep_dir):
        rows = run.training_log.read_text()
        assert [int(row.split(",")[0]) for row in rows.splitlines()[1:]] == list(range(1, 13))
        assert rows.startswith(before[run.path])
        assert (rows == before[run.path]) == (str(run.path) in completed)
    results = json.loads((sweep_dir / "all_results.json").read_text())
    assert results["counts"] == {"completed": 12}
    assert {run["attempt"] for run in results["runs"]} == {1, 2}


def statuses(sweep_dir: Path) -> list[dict[str, Any]]:
    found = []
    for run in find_trainings(sweep_dir):
        status = TrainingDirectory(run.path).read_status()
        if status is not None:
            found.append({**status, "directory": str(run.path)})
    return found
