"""The supervised launcher, with real processes that go wrong in real ways."""

from __future__ import annotations

import json
import os

import pytest
from supervised import Sweeps, both_ways, both_ways_slowly

from ddrsa.sweep.process.server_process import PORTABLE_VARIABLE


@both_ways
def test_what_goes_wrong_in_one_run_leaves_the_others_alone(sweeps: Sweeps) -> None:
    wrong = ["raise", "segfault", "kill", "exit", "os exit", "gpu memory", "host memory", "not picklable", "prune"]
    sweeps.do(dict(enumerate([*wrong, "exit 0"], start=1)))
    exit_code, output = sweeps.run("x=range(12)")
    assert exit_code == 1, output
    expected = {
        0: ("completed", None),
        1: ("failed", "ValueError: raised on purpose"),
        2: ("killed", "killed by SIGSEGV"),
        3: ("killed", "killed by SIGKILL"),
        4: ("failed", "the task called sys.exit(3)"),
        5: ("failed", "the process ended with exit code 0 before the task returned"),
        6: ("failed", "out of memory on the GPU: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
        7: ("failed", "out of memory on the host: MemoryError"),
        8: ("failed", "NotPicklable: ab"),
        9: ("pruned", None),
        10: ("completed", None),
        11: ("completed", None),
    }
    statuses = {number: sweeps.status(f"x{number}") for number in range(12)}
    assert {number: (status["state"], status["error"]) for number, status in statuses.items()} == expected
    assert statuses[11]["return_value"] == 110
    assert statuses[9]["ended_at"] >= statuses[9]["started_at"]
    assert "8 of 12 runs failed" in output
    assert "Traceback" not in output

    logs = {number: sweeps.path(f"x{number}").log.read_text() for number in range(12)}
    assert logs[1].splitlines()[-2:] == ["ValueError: raised on purpose", "in two lines"]
    assert 'raise ValueError("raised on purpose' in logs[1]
    assert "Fatal Python error: Segmentation fault" in logs[2]
    assert "string_at" in logs[2]
    assert logs[3].rstrip().endswith("the attempt ended: killed by SIGKILL")
    assert "printed by 1" in (sweeps.path("x1").path / "output.log").read_text()

    # A fresh process for each run.
    starts = sweeps.starts()
    assert len(starts) == len({start["pid"] for start in starts}) == 12

    results = {run["number"]: run for run in sweeps.results()["runs"]}
    assert {number: (run["state"], run["error"]) for number, run in results.items()} == expected
    assert sweeps.results()["counts"] == {"completed": 3, "failed": 6, "killed": 2, "pruned": 1}
    manifest = json.loads((sweeps.directory / "sweep" / "experiment_manifest.json").read_text())
    assert [run["directory"] for run in manifest["runs"]] == [f"x{number}" for number in range(12)]
    assert manifest["runs"][3]["config"]["x"] == 3
    assert manifest["runs"][3]["values"] == {"x": "3"}
    assert manifest["versions"]["hydra-core"]
    assert manifest["command"][1:] == ["-m", "x=range(12)"]
    assert "8 of 12" not in (sweeps.directory / "sweep" / "sweep.log").read_text()
    assert "run 3, attempt 1: killed by SIGKILL" in (sweeps.directory / "sweep" / "sweep.log").read_text()


@both_ways_slowly
def test_retries(sweeps: Sweeps) -> None:
    sweeps.do({1: "raise once", 2: "kill once", 3: "raise"})
    exit_code, output = sweeps.run("x=1,2,3", "hydra.launcher.retries=2")
    assert exit_code == 1, output
    assert sweeps.states() == {"x1": "completed", "x2": "completed", "x3": "failed"}
    assert [sweeps.status(name)["attempt"] for name in ("x1", "x2", "x3")] == [2, 2, 3]
    assert "attempt 3 starts (3 of 3 by this launcher)" in sweeps.path("x3").log.read_text()
    assert "1 of 3 runs failed" in output


@both_ways
def test_timeout_ends_a_run_that_ignores_sigterm_and_its_children(sweeps: Sweeps) -> None:
    minutes = 0.15 if PORTABLE_VARIABLE in sweeps.environ else 0.03  # an interpreter has to start in it
    sweeps.do({1: "hang", 2: "sleep"})
    exit_code, output = sweeps.run("x=1,2,3", f"hydra.launcher.timeout={minutes}")
    assert exit_code == 1, output
    assert sweeps.states() == {"x1": "timed_out", "x2": "timed_out", "x3": "completed"}
    assert sweeps.status("x1")["error"] == f"it took longer than timeout={minutes} minutes"
    assert "time.sleep(3600)" not in output
    assert "supervised_app.py" in sweeps.path("x2").log.read_text()  # where it hung
    assert sweeps.processes() == []


def test_max_failures(sweeps: Sweeps) -> None:
    sweeps.do({1: "raise", 2: "raise"})
    exit_code, output = sweeps.run("x=range(1,9)", "hydra.launcher.max_failures=2")
    assert exit_code == 1
    assert "2 of 8 runs failed" in output
    assert "max_failures=2" in output
    assert len(sweeps.starts()) <= 4
    sweeps.do({})
    exit_code, output = sweeps.run("x=range(1,9)")
    assert exit_code == 0, output


def test_the_same_command_goes_on_where_the_config_has_the_time(sweeps: Sweeps) -> None:
    with (sweeps.directory / "supervised_app.yaml").open("a") as stream:
        stream.write("stamp: 'run-${now:%H%M%S.%f}'\nlogs: {to: 'out/${stamp}'}\n")
    for _ in range(2):
        exit_code, output = sweeps.run("x=range(5)")
        assert exit_code == 0, output
        assert len(sweeps.starts()) == 5
    assert sorted(sweeps.states()) == ["x0", "x1", "x2", "x3", "x4"]


@pytest.mark.parametrize("key", ["n_jobs=0", "retries=-1", "timeout=0", "max_failures=0"])
def test_a_bad_value_is_refused_before_anything_is_written(sweeps: Sweeps, key: str) -> None:
    exit_code, output = sweeps.run("x=1,2", f"hydra.launcher.{key}")
    assert exit_code == 2
    assert f"hydra.launcher.{key}".replace("=0", "").replace("=-1", "") in output
    assert not (sweeps.directory / "sweep").exists()


@both_ways_slowly
def test_a_module_that_cannot_be_preloaded(sweeps: Sweeps) -> None:
    exit_code, output = sweeps.run("x=1,2", "hydra.launcher.preload=[no_such_module]")
    assert exit_code == 2, output
    assert "no_such_module" in output
    assert "hydra.launcher.preload" in output
    assert sweeps.processes() == []


@pytest.mark.slow
def test_200_trivial_runs(sweeps: Sweeps) -> None:
    exit_code, output = sweeps.run("x=range(200)")
    assert exit_code == 0, output
    assert sweeps.results()["counts"] == {"completed": 200}
    assert sorted(start["x"] for start in sweeps.starts()) == list(range(200))
    assert sweeps.processes() == []


def test_more_jobs_than_cores_is_said(sweeps: Sweeps) -> None:
    jobs = 4 * (os.cpu_count() or 1)
    _, output = sweeps.run("x=1,2", f"hydra.launcher.n_jobs={jobs}")
    assert "at most 2 at once" in output  # more than there are runs are never started
    assert "more than the" not in output
    _, output = sweeps.run(f"x=range({jobs})", f"hydra.launcher.n_jobs={jobs}")
    assert f"n_jobs={jobs}, but this machine has" in output


def test_what_a_task_returns_is_kept_as_far_as_json_can_say_it(sweeps: Sweeps) -> None:
    sweeps.do({1: "return much", 2: "return an array", 3: "return an array"})
    exit_code, output = sweeps.run("x=1,2,3")
    assert exit_code == 0, output
    assert sweeps.status("x1")["return_value"] == {"loss": 1.5, "scores": [1, None]}
    assert [sweeps.status(name)["return_value"] for name in ("x2", "x3")] == [2.0, 3.0]
    assert "of what 1 of 3 runs returned this cannot be kept: lock (lock), scores.1 (nan)" in output
    assert "this cannot be kept: lock (lock), scores.1 (nan)" in sweeps.path("x1").log.read_text()
    assert "best 2 of 3 runs" in output


def test_an_exit_handler_from_before_the_fork_does_not_keep_a_run_for_ever(sweeps: Sweeps) -> None:
    (sweeps.directory / "waits.py").write_text(
        "import atexit, os, threading\n"
        "made_by = os.getpid()\n"
        "def wait():\n"
        "    if os.getpid() != made_by:\n"
        "        threading.Event().wait()\n"
        "atexit.register(wait)\n"
    )
    exit_code, output = sweeps.run("x=1", "hydra.launcher.preload=[waits]")
    assert exit_code == 0, output
    assert sweeps.states() == {"x1": "completed"}
    assert "a run has ended, but not its process within 10 s: an exit handler (atexit)" in output
