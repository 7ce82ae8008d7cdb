"""Whether a process lives, and how long a run has taken, whatever the clocks say."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.process_identity import boot_id, is_alive, seconds_since_boot, this_process
from ddrsa.rundir.states import SILENT_SECONDS, is_lost, owner_file

pytestmark = pytest.mark.skipif(boot_id() is None, reason="the system has no boot id")


def hours_from_now(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def test_a_clock_that_was_set_forward_ends_no_process() -> None:
    assert is_alive({**this_process(), "started_at": hours_from_now(-24 * 365)}) is True
    assert is_alive({**this_process(), "started_at": "nonsense"}) is True


def test_a_process_that_has_another_number_or_another_start_is_gone() -> None:
    child = subprocess.Popen(["sleep", "60"])
    status = {**this_process(), "pid": child.pid, "started_at": hours_from_now(0)}
    assert is_alive(status) is False  # the number was given to another
    child.kill()
    child.wait()
    assert is_alive(status) is False
    assert is_alive({**this_process(), "boot_id": "before the power cut"}) is False
    assert is_alive({**this_process(), "hostname": "elsewhere"}) is None


def test_an_older_file_is_judged_by_its_times() -> None:
    status = {"pid": os.getpid(), "hostname": this_process()["hostname"]}
    assert is_alive({**status, "started_at": hours_from_now(1)}) is True
    assert is_alive({**status, "started_at": hours_from_now(-24 * 365)}) is False


def test_the_seconds_of_a_run_are_those_of_a_clock_that_nobody_sets(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.begin("abc")
    run.update(started_at=hours_from_now(-5), started_clock=seconds_since_boot() - 40)
    run.end("completed")
    assert run.status_or_empty()["seconds"] == pytest.approx(40, abs=5)


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_the_silence_of_another_machine_is_measured_by_the_file_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    seconds = datetime.now(UTC).timestamp() + 3600 * hours
    real = os.utime

    def by_the_server(path: Path, times: tuple[float, float] | None = None, **options: Any) -> None:
        real(path, times or (seconds, seconds), **options)

    monkeypatch.setattr("ddrsa.rundir.states.os.utime", by_the_server)
    status = {"state": "running", "hostname": "elsewhere", "pid": 1, "started_at": hours_from_now(0)}
    owner_file(tmp_path, 1).touch()
    (tmp_path / ".lock").touch()
    real(owner_file(tmp_path, 1), (seconds - 5, seconds - 5))
    assert not is_lost(tmp_path, status)
    silent = seconds - 2 * SILENT_SECONDS
    real(owner_file(tmp_path, 1), (silent, silent))
    assert is_lost(tmp_path, status)
