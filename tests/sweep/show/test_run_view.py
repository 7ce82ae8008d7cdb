"""Views of runs, whatever the clocks of the machine and of the file server say."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json
from ddrsa.rundir.process_identity import this_process
from ddrsa.rundir.states import State
from ddrsa.rundir.sweep_files import MANIFEST
from ddrsa.sweep.show.run_view import RunView
from ddrsa.sweep.watch import watch


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_the_progress_of_an_attempt_is_its_own(tmp_path: Path, hours: float) -> None:
    run, view = RunDirectory(tmp_path), RunView("x", tmp_path)

    def touched() -> None:
        os.utime(run.status, (time.time() + 3600 * hours,) * 2)

    run.begin("abc", process_start=0)
    run.update(epoch=7)
    run.end("failed", "ValueError: no")
    touched()
    view.refresh()
    view.start(2)
    view.refresh()
    assert view.epoch == 0  # that was the attempt before
    run.begin("abc")
    run.update(epoch=8)
    touched()
    assert view.refresh()
    assert view.epoch == 8
    assert view.seconds is not None
    assert 0 <= view.seconds < 60


def test_an_attempt_that_is_seen_when_it_has_ended_took_what_its_machine_says(tmp_path: Path) -> None:
    run, view = RunDirectory(tmp_path), RunView("x", tmp_path)
    run.begin("abc")
    run.end("completed")
    write_json(run.status, {**run.status_or_empty(), "seconds": 75.0})
    view.start(1)
    view.end(State.COMPLETED, None)
    assert view.seconds is not None
    assert 75 <= view.seconds < 76
    # What the attempt before took is not counted.
    view.start(2)
    view.end(State.KILLED, "its node died")
    assert view.seconds < 60


@pytest.mark.parametrize(
    ("launcher", "time_of_files"),
    [({}, time.time() + 3600), ({"process_start": 0}, time.time() + 3600), ({}, 0.0)],
    ids=["lives", "gone", "times of zero"],
)
def test_watching_a_sweep_ends_whatever_the_times_of_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], launcher: dict[str, int], time_of_files: float
) -> None:
    run = RunDirectory(tmp_path / "x0")
    run.path.mkdir()
    run.begin("abc")
    run.end("completed")
    os.utime(run.status, (time_of_files, time_of_files))
    planned = {"directory": "x0", "identity": "abc", "overrides": ["x=0"], "config": {}}
    content = {**this_process(), **launcher, "created_at": "2999-01-01T00:00:00+00:00", "runs": [planned]}
    write_json(tmp_path / MANIFEST, content)
    began = time.monotonic()
    assert watch(tmp_path) == 0
    assert time.monotonic() - began < 30
    assert "1 completed" in capsys.readouterr().out


def test_watching_a_sweep_ends_though_a_status_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("x0", "x1"):
        (tmp_path / name).mkdir()
        RunDirectory(tmp_path / name).begin("abc")
        RunDirectory(tmp_path / name).end("completed")
    (tmp_path / "x1" / "status.json").write_text("{")
    shared: dict[str, object] = {"identity": "abc", "overrides": [], "config": {}}
    content: dict[str, object] = {"hostname": "elsewhere", "runs": [{**shared, "directory": f"x{x}"} for x in (0, 1)]}
    write_json(tmp_path / MANIFEST, content)
    assert watch(tmp_path) == 1
    assert "1 completed, 1 unreadable" in capsys.readouterr().out


def test_a_status_that_could_not_be_read_for_a_moment_is_read_again(tmp_path: Path) -> None:
    run, view = RunDirectory(tmp_path), RunView("x", tmp_path)
    run.begin("abc")
    whole = run.status.read_bytes()
    run.status.write_text("{")
    assert view.follow()
    assert view.state == "unreadable"
    assert "status.json is not valid JSON" in str(view.reason)
    assert not view.follow()
    run.status.write_bytes(whole)
    assert view.follow()
    assert (view.state, view.reason) == ("running", None)


def test_a_status_that_was_replaced_is_read_though_its_time_stands_still(tmp_path: Path) -> None:
    run, view = RunDirectory(tmp_path), RunView("x", tmp_path)
    run.begin("abc")
    os.utime(run.status, (0, 0))
    assert view.follow()
    run.update(epoch=3)
    os.utime(run.status, (0, 0))
    assert view.follow()
    assert view.epoch == 3
