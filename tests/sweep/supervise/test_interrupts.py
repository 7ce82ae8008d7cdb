"""Signals to the launcher, to its server and to a run; and what a second launch then finds."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from supervised import Sweeps, both_ways, both_ways_slowly

from ddrsa.sweep.verify.bench import until


def running(sweeps: Sweeps) -> list[str]:
    return [name for name, state in sweeps.states().items() if state == "running"]


@both_ways_slowly
def test_first_interrupt_lets_the_runs_under_way_finish(sweeps: Sweeps) -> None:
    sweeps.do(dict.fromkeys(range(6), "epochs"))
    process = sweeps.start("x=range(6)")
    until(lambda: len(running(sweeps)) == 2, "two runs are under way")
    process.send_signal(signal.SIGINT)
    exit_code, output = sweeps.finish(process)
    assert exit_code == 130, output
    assert "no new run starts, 2 under way finish" in output
    assert "Traceback" not in output
    assert sweeps.states() == {"x0": "completed", "x1": "completed"}
    assert sweeps.results()["counts"] == {"completed": 2, "pending": 4}

    assert sweeps.run("x=range(6)")[0] == 0
    assert sweeps.states() == {f"x{number}": "completed" for number in range(6)}
    assert len(sweeps.starts()) == 6


@both_ways
@pytest.mark.parametrize(
    "signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM], pytest.param([signal.SIGHUP], marks=pytest.mark.slow)]
)
def test_second_interrupt_and_sigterm_end_everything(sweeps: Sweeps, signals: list[signal.Signals]) -> None:
    sweeps.do({0: "sleep", 1: "hang"})
    process = sweeps.start("x=range(4)")
    until(lambda: len(running(sweeps)) == 2 and len(sweeps.processes()) >= 4, "two runs are under way")
    sweeps.interrupt(process, *signals)
    exit_code, output = sweeps.finish(process)
    assert exit_code == 130, output
    assert sweeps.states() == {"x0": "interrupted", "x1": "interrupted"}
    assert signals[-1].name in sweeps.status("x0")["error"]
    assert sweeps.processes() == []
    assert sweeps.results()["counts"] == {"interrupted": 2, "pending": 2}

    sweeps.do({})
    assert sweeps.run("x=range(4)")[0] == 0
    assert [sweeps.status(f"x{number}")["attempt"] for number in range(4)] == [2, 2, 1, 1]


@both_ways_slowly
def test_ctrl_c_at_the_terminal_does_not_reach_the_runs(sweeps: Sweeps) -> None:
    sweeps.do({0: "epochs", 1: "epochs"})
    process = sweeps.start("x=0,1")
    until(lambda: len(running(sweeps)) == 2, "two runs are under way")
    group = os.getpgid(process.pid)
    for start in sweeps.starts():
        assert os.getpgid(start["pid"]) == start["pid"] != group
        assert os.getsid(start["pid"]) != os.getsid(process.pid)
    assert sweeps.finish(process)[0] == 0


@both_ways
def test_a_killed_launcher_leaves_no_orphans_and_loses_no_epoch(sweeps: Sweeps) -> None:
    sweeps.do({0: "epochs", 1: "hang", 2: "epochs", 3: "epochs"})
    process = sweeps.start("x=range(4)")
    until(lambda: len(sweeps.epochs("x0")) >= 5 and len(sweeps.processes()) >= 4, "a run is half done")
    process.kill()
    until(lambda: sweeps.processes() == [], "an orphan runs", seconds=5)
    done = len(sweeps.epochs("x0"))
    assert done < 20
    assert sweeps.status("x0")["state"] == "running"

    sweeps.do(dict.fromkeys(range(4), "epochs"))
    exit_code, output = sweeps.run("x=range(4)")
    assert exit_code == 0, output
    for name in ("x0", "x1", "x2", "x3"):
        assert sweeps.epochs(name) == list(range(1, 21))
    assert sweeps.status("x0")["attempt"] == 2


@both_ways_slowly
def test_a_killed_worker_goes_on_from_its_checkpoint(sweeps: Sweeps) -> None:
    sweeps.do({0: "epochs", 1: "epochs"})
    process = sweeps.start("x=0,1", "hydra.launcher.retries=1")
    until(lambda: len(sweeps.epochs("x0")) >= 5, "a run is half done")
    os.kill(sweeps.status("x0")["pid"], signal.SIGKILL)
    exit_code, output = sweeps.finish(process)
    assert exit_code == 0, output
    assert sweeps.epochs("x0") == list(range(1, 21))
    assert [sweeps.status(name)["attempt"] for name in ("x0", "x1")] == [2, 1]
    assert "attempt ended: killed by SIGKILL" in sweeps.path("x0").log.read_text()


@both_ways
def test_a_killed_server_is_replaced(sweeps: Sweeps) -> None:
    sweeps.do({0: "epochs", 1: "epochs"})
    process = sweeps.start("x=range(4)", "hydra.launcher.retries=1")
    until(lambda: len(sweeps.epochs("x0")) >= 5, "a run is half done")
    (server,) = psutil.Process(process.pid).children()
    server.kill()
    exit_code, output = sweeps.finish(process)
    assert exit_code == 0, output
    assert sweeps.states() == {f"x{number}": "completed" for number in range(4)}
    assert sweeps.epochs("x0") == sweeps.epochs("x1") == list(range(1, 21))


def test_two_launchers_share_a_sweep(sweeps: Sweeps) -> None:
    sweeps.do({**dict.fromkeys(range(6), "epochs"), 6: "raise"})
    processes = [sweeps.start("x=range(7)", "hydra.launcher.n_jobs=1") for _ in range(2)]
    ended = [sweeps.finish(process, 60) for process in processes]
    assert [exit_code for exit_code, _ in ended] == [1, 1], ended
    assert sorted(start["x"] for start in sweeps.starts()) == list(range(7))
    assert all(sweeps.epochs(f"x{number}") == list(range(1, 21)) for number in range(6))
    assert all("1 of 7 runs failed" in output for _, output in ended)
    assert sweeps.results()["counts"] == {"completed": 6, "failed": 1}


def test_a_run_that_another_process_works_on_is_left_alone(sweeps: Sweeps) -> None:
    sweeps.do({0: "wait"})
    first = sweeps.start("x=0")
    until(sweeps.starts, "the run is not under way")
    second = sweeps.start("x=0,1")
    until(lambda: sweeps.is_logged("run 0 is being done by another process: left alone"), "it was not left alone")
    (sweeps.directory / "go").touch()
    for process in (first, second):
        exit_code, output = sweeps.finish(process)
        assert exit_code == 0, output
    assert sorted(start["x"] for start in sweeps.starts()) == [0, 1]
    assert sweeps.states() == {"x0": "completed", "x1": "completed"}


def test_a_run_that_another_launcher_leaves_undone_has_its_whole_time(sweeps: Sweeps) -> None:
    sweeps.do({0: "epochs"})
    first = sweeps.start("x=0", "count=100")
    until(lambda: sweeps.epochs("x0"), "the run is not under way")
    second = sweeps.start("x=0", "count=100", "hydra.launcher.timeout=1")
    until(lambda: sweeps.is_logged("is being done by another process"), "the second has not begun")
    first.kill()
    exit_code, output = sweeps.finish(second)
    assert exit_code == 0, output
    assert sweeps.states() == {"x0": "completed"}
    assert sweeps.status("x0")["attempt"] == 2
