"""The directory of a sweep, and those of its runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from supervised import Sweeps

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json, write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.supervise.events import SweepObserver
from ddrsa.sweep.supervise.supervisor import Supervisor


def test_a_swept_key_cannot_stand_in_it_and_one_with_a_single_value_can(sweeps: Sweeps) -> None:
    where = ("hydra.sweep.dir='sweep${x}'", "count=1", "seconds=0")
    exit_code, output = sweeps.run("x=1,2", *where)
    assert exit_code == 2, output
    assert "hydra.sweep.dir is sweep1 for the job x=1" in output
    assert "and sweep0 for the sweep: it holds all runs of a sweep, so no swept key can stand in it" in output
    assert list(sweeps.directory.glob("sweep?")) == []
    exit_code, output = sweeps.run("x=7", *where)
    assert exit_code == 0, output
    results = read_json(sweeps.directory / "sweep7" / "all_results.json")
    assert results is not None
    assert [run["directory"] for run in results["runs"]] == ["x7"]


def test_the_run_of_another_sweep_that_was_planned_at_the_same_time_is_not_overwritten(tmp_path: Path) -> None:
    directory = tmp_path / "0"
    directory.mkdir()
    write_json(directory / "status.json", {"run_id": "theirs", "state": "completed", "return_value": 1})
    before = RunDirectory(directory).read_status()
    released: list[Path] = []
    server: Any = SimpleNamespace(
        look_seconds=0.1, waiting=lambda *_: {}, claim=lambda _: True, release=released.append
    )
    supervisor = Supervisor(server, SweepObserver(), n_jobs=1)
    supervisor.submit([PlannedRun(0, ("x=1",), directory, "ours", {}, {}, b"")])
    ended = supervisor.wait()
    assert ended is not None
    assert ended[1].state is State.FAILED
    assert ended[1].reason is not None
    assert "its directory holds run theirs, of another sweep: the same command again gives it one" in ended[1].reason
    assert released == [directory]
    assert RunDirectory(directory).read_status() == before
