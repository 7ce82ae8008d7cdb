"""A disk that is full for a while, under real sweeps: a small file system of their own."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from attempts_in_memory import AttemptsInMemory, planned
from supervised import Sweeps

from ddrsa.rundir.states import State
from ddrsa.sweep.process.attempt import Report
from ddrsa.sweep.supervise import disk
from ddrsa.sweep.supervise.events import SweepObserver
from ddrsa.sweep.supervise.supervisor import Supervisor
from ddrsa.sweep.verify.bench import until

# Needs no rights: the mount is seen by what the command starts alone.
ON_A_SMALL_DISK = ("unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=2m none sweep && exec "$@"', "sh")


def has_small_disks() -> bool:
    """Whether this system lets a user mount a file system of his own."""
    try:
        return subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], check=False).returncode == 0
    except OSError:
        return False


def fill(directory: Path) -> Path:
    """Write into a file until the disk is full."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (2**16, 2**12):
            with contextlib.suppress(OSError):
                while True:
                    stream.write(bytes(size))
    return filler


@pytest.mark.skipif(not has_small_disks(), reason="needs user namespaces, for a disk of its own")
def test_a_sweep_waits_while_its_disk_is_full_and_no_reason_is_lost(sweeps: Sweeps) -> None:
    (sweeps.directory / "sweep").mkdir()
    sweeps.do({0: "epochs", 1: "raise when told", 2: "epochs", 3: "epochs"})
    process = sweeps.start("x=range(4)", "count=10", on=ON_A_SMALL_DISK)
    there = Path(f"/proc/{process.pid}/root{sweeps.directory}/sweep")
    lines = sweeps.printed_by(process)
    until(lambda: len(sweeps.epochs("x0")) >= 3 and len(sweeps.starts()) == 2, "no run is half done")
    filler = fill(there)
    (sweeps.directory / "told").touch()
    until(lambda: any("nothing starts until there is room" in line for line in lines), "the wait is not said")
    filler.unlink()
    until(lambda: any("there is room again" in line for line in lines), "the sweep does not go on")
    status, log = there / "x1" / "status.json", there / "x1" / "run.log"
    until(lambda: "ValueError: the first reason" in status.read_text(), "the reason is lost")
    until(lambda: "ValueError: the first reason" in log.read_text(), "the traceback is lost")
    assert process.wait(60) == 1
    until(lambda: any("1 of 4 runs failed" in line for line in lines), "there is no summary")
    output = "".join(lines)
    assert "failed: x=1: ValueError: the first reason" in output
    assert "Traceback" not in output
    assert all(sweeps.epochs(name) == list(range(1, 11)) for name in ("x0", "x2", "x3"))


def test_a_run_that_cannot_write_its_output_is_one_line(sweeps: Sweeps) -> None:
    (sweeps.directory / "sweep" / "x1" / "output.log").mkdir(parents=True)
    exit_code, output = sweeps.run("x=0,1")
    assert exit_code == 1
    assert "failed after 0 s: x=1: IsADirectoryError" in output
    assert "Traceback" not in output
    assert "IsADirectoryError" in sweeps.path("x1").log.read_text()


class Held(SweepObserver):
    """Notes what holds the sweep."""

    def __init__(self) -> None:
        self.reasons: list[str | None] = []

    def held(self, reason: str | None) -> None:
        self.reasons.append(reason)


def without_room() -> Report:
    return Report(State.FAILED, "OSError: no space", disk_full=True)


def test_a_disk_that_stays_full_ends_the_sweep_and_the_runs_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "has_room", lambda _: False)
    server, observer = AttemptsInMemory(), Held()
    supervisor = Supervisor(server, observer, n_jobs=1, retries=5)
    supervisor._disk = disk.DiskWait(observer, seconds=0.3)
    supervisor.submit([planned(tmp_path, number) for number in range(2)])
    server.reports = {1: without_room()}
    run, outcome = supervisor.wait() or pytest.fail("no run ended")
    assert supervisor.wait() is None
    assert (run.number, outcome.state) == (0, State.FAILED)
    assert "OSError: no space" in str(outcome.reason)
    assert f"the disk of {tmp_path} is full" in str(outcome.reason)
    assert len(server.specs) == 1
    assert observer.reasons[0] is not None
    assert "nothing starts until there is room" in observer.reasons[0]
    assert supervisor.not_started.reason == "the disk stayed full"


def test_an_attempt_without_room_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOOK_SECONDS", 0.0)
    server, observer = AttemptsInMemory(), Held()
    supervisor = Supervisor(server, observer, n_jobs=1)
    supervisor.submit([planned(tmp_path)])
    server.reports = {1: without_room()}
    while len(server.specs) < 2:
        supervisor._step()
    server.reports = {2: Report(State.COMPLETED, value=7)}
    _, outcome = supervisor.wait() or pytest.fail("no run ended")
    assert (outcome.state, outcome.value, outcome.attempts) == (State.COMPLETED, 7, 1)
    assert observer.reasons[-1] is None


def test_a_run_that_fills_the_disk_itself_fails_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr("ddrsa.sweep.supervise.supervisor.pause_of", lambda _: 0.0)
    server = AttemptsInMemory()
    supervisor = Supervisor(server, Held(), n_jobs=1)
    supervisor.submit([planned(tmp_path)])
    while not supervisor._results:
        server.reports = {number: without_room() for number in supervisor._under_way}
        supervisor._step()
    assert len(server.specs) == disk.MOST_ATTEMPTS_WITHOUT_ROOM + 1
    assert supervisor._results[0][1].reason == "OSError: no space"
