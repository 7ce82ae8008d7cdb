"""Looks at a sweep's directory: what is read again, and what is said while not all is read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from analysis_runs import metrics, run_maker

import ddrsa.live.sweep
from ddrsa.live.curves import MOST_POINTS, _thinned
from ddrsa.live.machine import Machine
from ddrsa.live.progress import progress_of
from ddrsa.live.sweep import LiveSweep
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_json, write_json
from ddrsa.rundir.process_identity import this_process


@pytest.fixture
def sweep(tmp_path: Path) -> LiveSweep:
    """Twenty runs, of which one is under way and one was not begun."""
    make = run_maker(tmp_path)
    states = ["running", "pending", *["completed"] * 18]
    runs = [make(state=state, seed=seed, result=metrics(seed, 1, 0.5)) for seed, state in enumerate(states)]
    runs[0].update(num_epochs=3)
    planned = [
        {
            "directory": run.path.relative_to(tmp_path).as_posix(),
            "overrides": [f"seed={seed}"],
            "values": {"seed": str(seed)},
            "config": {"lookback": 1, "horizon": 1, "lambda_param": 1},
        }
        for seed, run in enumerate(runs)
    ]
    write_json(tmp_path / "experiment_manifest.json", {"runs": planned})
    return LiveSweep(tmp_path)


def look(sweep: LiveSweep) -> None:
    sweep._next = 0.0
    sweep.look()


def test_only_what_has_changed_is_read_and_told(sweep: LiveSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    look(sweep)
    assert [cells["state"] for _, cells in sweep.changed_since(-1)] == ["running", "pending", *["completed"] * 18]
    read: list[Path] = []
    real = RunDirectory.read_status

    def reading(run: RunDirectory) -> dict[str, Any] | None:
        read.append(run.path)
        return real(run)

    monkeypatch.setattr(RunDirectory, "read_status", reading)
    version = sweep.version
    look(sweep)
    assert read == []
    assert {number for number, _ in sweep.changed_since(version)} <= {0}  # its seconds
    RunDirectory(sweep.runs[0].view.directory).end("completed")
    read.clear()
    version = sweep.version
    look(sweep)
    assert set(read) == {sweep.runs[0].view.directory}
    ((number, cells),) = sweep.changed_since(version)
    assert (number, cells["state"], cells["value:seed"]) == (0, "completed", 0)


def test_a_run_that_is_done_again_is_seen(sweep: LiveSweep) -> None:
    look(sweep)
    again = RunDirectory(sweep.runs[5].view.directory)
    again.end("failed", "ValueError: this time")
    look(sweep)
    assert (sweep.runs[5].cells["state"], sweep.runs[5].cells["reason"]) == ("failed", "ValueError: this time")
    assert "metric:rul_mae" not in sweep.runs[5].cells


def test_what_was_not_read_yet_is_not_called_pending(sweep: LiveSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ddrsa.live.sweep, "BUDGET_SECONDS", -1.0)
    look(sweep)
    progress = progress_of(sweep)
    assert (progress["state"], progress["unread"], progress["counts"]) == ("reading", 20, [])
    assert progress["notes"] == []
    monkeypatch.setattr(ddrsa.live.sweep, "BUDGET_SECONDS", 60.0)
    look(sweep)
    progress = progress_of(sweep)
    assert (progress["unread"], progress["planned"]) == (0, 20)
    assert dict(progress["counts"]) == {"running": 1, "pending": 1, "completed": 18}


@pytest.mark.parametrize(
    "wrong", ["{", '{"schema_version": 1, "state": "no such"}', '{"schema_version": 1, "state": 3}']
)
def test_a_damaged_file_costs_its_run_alone(sweep: LiveSweep, wrong: str) -> None:
    path = next(sweep.directory.rglob("status.json"))
    path.write_text(wrong)
    look(sweep)
    states = [cells["state"] for _, cells in sweep.changed_since(-1)]
    assert states.count("unreadable") == 1
    assert states.count("completed") >= 17


def test_a_damaged_manifest_is_said_and_the_runs_are_shown(sweep: LiveSweep) -> None:
    (sweep.directory / "experiment_manifest.json").write_text('{"schema_version": 1, "runs": 3}')
    look(sweep)
    assert "runs is 3" in progress_of(sweep)["notes"][0]
    assert len(sweep.runs) == 20


def test_no_peak_is_lost_where_a_curve_is_thinned() -> None:
    values = [0.0] * 10_000
    values[7_777], values[42] = 5.0, -3.0
    steps, kept = _thinned([list(range(10_000)), values])
    assert len(kept) <= MOST_POINTS + 2
    assert (max(kept), min(kept), steps[0], steps[-1]) == (5.0, -3.0, 0, 9_999)
    assert steps == sorted(steps)


def test_the_machine_and_its_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FAKE_GPUS", raising=False)
    seen = Machine(tmp_path).look()
    assert len(seen["cores"]) == os.cpu_count()
    assert seen["gpus"] == []
    monkeypatch.setenv("FAKE_GPUS", f"GPU-1={2**30},withheld=0,GPU-2=0")
    monkeypatch.setenv("FAKE_TOTAL", str(2**33))
    monkeypatch.setenv("FAKE_ALLOCATIONS", str(tmp_path))
    gpus = Machine(tmp_path).look()["gpus"]
    assert [gpu["index"] for gpu in gpus] == [0, 2]
    assert gpus[0]["memory"] == {"total": 2**33, "used": 2**30}
    assert (gpus[0]["name"], gpus[0]["load"], gpus[0]["temperature"]) == ("Fake GPU", 50, 60)


def of_launcher(sweep: LiveSweep, **content: Any) -> dict[str, Any]:
    """The progress of the sweep when none of its runs is under way, with a manifest that says so of its launcher."""
    manifest = read_json(sweep.directory / "experiment_manifest.json") or {}
    rest = [run for run in manifest["runs"] if run["overrides"] != ["seed=0"]]
    write_json(
        sweep.directory / "experiment_manifest.json",
        {"runs": rest, "created_at": "2026-11-21T10:00:00+00:00", "pid": 1, **content},
    )
    look(sweep)
    return progress_of(sweep)


ELSEWHERE = {"hostname": "node7", "boot_id": "another"}


def test_of_a_launcher_on_another_machine_nothing_is_said_that_is_not_known(sweep: LiveSweep) -> None:
    progress = of_launcher(sweep, **ELSEWHERE)
    assert progress["state"] == "unknown"
    assert any("nothing tells whether it still runs" in note and "node7" in note for note in progress["notes"])
    assert not any("gone" in note for note in progress["notes"])


@pytest.mark.parametrize("skew", [-86400.0, 0.0, 86400.0])
def test_a_launcher_on_another_machine_is_known_by_its_heartbeat_whatever_the_clocks(
    sweep: LiveSweep, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    real, server = os.utime, time.time() + skew  # that of the file server

    def by_the_server(path: Path, times: tuple[float, float] | None = None, **options: Any) -> None:
        real(path, times or (server, server), **options)

    monkeypatch.setattr("ddrsa.rundir.states.os.utime", by_the_server)
    for name in (".record.lock", ".launcher"):
        (sweep.directory / name).touch()
    real(sweep.directory / ".launcher", (server - 20, server - 20))
    assert of_launcher(sweep, **ELSEWHERE)["state"] == "running"
    real(sweep.directory / ".launcher", (server - 200, server - 200))
    progress = of_launcher(sweep, **ELSEWHERE)
    assert progress["state"] == "stopped"
    assert any("Nothing has been heard of the launcher on node7" in note for note in progress["notes"])


def test_a_launcher_in_a_container_of_this_name_is_not_taken_for_dead(sweep: LiveSweep) -> None:
    here = {**this_process(), "pid": 2**22 + 5}  # a number that no process here has
    assert of_launcher(sweep, **here)["state"] == "stopped"
    assert of_launcher(sweep, **{**here, "pid_namespace": "pid:[5]"})["state"] == "unknown"
    assert of_launcher(sweep, **{**here, "boot_id": "another"})["state"] == "stopped"
    assert of_launcher(sweep, **{**here, "boot_id": "another", "installation": "another"})["state"] == "unknown"


def test_of_a_launcher_that_writes_no_status_nothing_is_called_stopped(tmp_path: Path) -> None:
    for number in range(2):
        run = RunDirectory(tmp_path / f"x{number}")
        run.config.parent.mkdir(parents=True)
        run.config.write_text(f"x: {number}\n")
    found = LiveSweep(tmp_path)
    look(found)
    progress = progress_of(found)
    assert progress["state"] == "unknown"
    assert any(note.startswith("Of 2 runs nothing tells") for note in progress["notes"])
