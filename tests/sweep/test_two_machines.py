"""Two machines with one directory between them, and no scheduler."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path

import psutil
import pytest
from supervised import Sweeps

from ddrsa.rundir.states import SILENT_SECONDS, last_owner, owner_file
from ddrsa.sweep.verify.bench import until
from ddrsa.sweep.watch import watch

AS_OTHER_MACHINE = 'hostname other && mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'


@pytest.fixture
def other_machine(tmp_path: Path) -> list[str]:
    """What stands before a command that shall find itself on a machine with another name and kernel."""
    boot_id = tmp_path / "boot_id"
    boot_id.write_text(f"{uuid.uuid4()}\n")
    prefix = ["unshare", "--uts", "--mount", "sh", "-c", AS_OTHER_MACHINE, str(boot_id)]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.strip()}")
    return prefix


def hosts(sweeps: Sweeps) -> dict[str, str]:
    return {name: sweeps.status(name)["hostname"] for name in sweeps.states()}


def test_the_same_command_on_both_divides_the_runs(sweeps: Sweeps, other_machine: list[str]) -> None:
    sweeps.do(dict.fromkeys(range(9), "wait"))
    first = sweeps.start("x=range(9)")
    until(lambda: len(sweeps.starts()) == 2, "the first machine has not begun", 60)
    second = sweeps.start("x=range(9)", on=other_machine)
    until(lambda: len(sweeps.starts()) == 4, "the second machine has not begun", 60)
    assert set(hosts(sweeps).values()) == {os.uname().nodename, "other"}
    (sweeps.directory / "go").touch()
    outputs = [process.communicate(timeout=100)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert sorted(start["x"] for start in sweeps.starts()) == list(range(9))
    assert set(sweeps.states().values()) == {"completed"}
    assert sweeps.results()["counts"] == {"completed": 9}
    assert [run["return_value"] for run in sweeps.results()["runs"]] == [10 * x for x in range(9)]
    assert all("9 runs: 9 completed" in output for output in outputs)


@pytest.mark.slow
def test_a_machine_that_dies_costs_only_its_runs(
    sweeps: Sweeps, other_machine: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    sweeps.do({**dict.fromkeys(range(4), "epochs"), 0: "wait"})
    dies = sweeps.start("x=1,2", "seconds=0.5", "count=12", on=other_machine)
    until(lambda: sweeps.epochs("x1")[2:] and sweeps.epochs("x2")[2:], "the other machine has not begun", 60)
    dies.kill()
    dies.wait()
    until(lambda: not sweeps.processes(), "its runs have not ended with their launcher")
    before = {name: sweeps.epochs(name) for name in ("x1", "x2")}

    # What it had is left to it for a minute.
    goes_on = sweeps.start("x=range(4)", "seconds=0.5", "count=12")
    until(lambda: sweeps.states().get("x3") == "completed", "nothing else is done", 60)
    assert [start["x"] for start in sweeps.starts()].count(1) == 1
    assert sweeps.status("x1")["state"] == "running"
    past = time.time() - SILENT_SECONDS - 1
    for name in ("x1", "x2"):
        directory = sweeps.path(name).path
        os.utime(owner_file(directory, last_owner(directory)), (past, past))
    (sweeps.directory / "go").touch()
    output, _ = goes_on.communicate(timeout=100)
    assert goes_on.returncode == 0, output
    for name, epochs in before.items():
        assert sweeps.epochs(name) == list(range(1, 13))
        assert len(epochs) < 12
    assert "is being done by another process: left alone" in output
    assert watch(sweeps.directory / "sweep") == 0
    assert "4 completed" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_another_machine_took_over_is_left_to_it(sweeps: Sweeps) -> None:
    """This machine was cut off for a while, and another one has taken its run for dead."""
    sweeps.do({1: "epochs"})
    sweep = sweeps.start("x=1", "seconds=0.5", "count=80")
    until(lambda: sweeps.epochs("x1"), "no epochs", 60)
    taken_over = owner_file(sweeps.path("x1").path, 2)
    taken_over.write_text('{"machine": "another", "hostname": "other", "pid": 7}')
    (start,) = sweeps.starts()
    until(lambda: not psutil.pid_exists(start["pid"]), "the run goes on here", 60)
    until(lambda: sweeps.is_logged("is being done by another process"), "its launcher has not tried again", 60)
    at_first = sweeps.epochs("x1")
    assert sweep.poll() is None
    assert len(sweeps.starts()) == 1
    assert "was taken over by process 7 on other" in (sweeps.path("x1").path / "output.log").read_text()
    os.utime(taken_over, (0, 0))
    output, _ = sweep.communicate(timeout=100)
    assert sweep.returncode == 0, output
    assert sweeps.epochs("x1") == list(range(1, 81))
    assert len(at_first) < 80
    assert last_owner(sweeps.path("x1").path) == 3
