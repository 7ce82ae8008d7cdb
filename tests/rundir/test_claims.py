"""Who has a run: real processes, some of them on other machines as far as they can tell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from ddrsa.rundir import claims
from ddrsa.rundir.claims import Claim, RunElsewhereError, claimed, release_dead
from ddrsa.rundir.files import now
from ddrsa.rundir.states import SILENT_SECONDS, is_lost, last_owner, owner_file
from ddrsa.sweep.verify.bench import until

# A file system that keeps the locks of each machine to itself: flock always succeeds, as no other machine is seen.
OF_ANOTHER_MACHINE = """
import sys
from ddrsa.rundir import claims, locked_files
claims.machine_id = lambda: sys.argv[2]
claims.socket.gethostname = lambda: sys.argv[2]
locked_files.lock_descriptor = lambda descriptor, blocking: True
"""
HOLD = """
from pathlib import Path
from ddrsa.rundir.claims import Claim
claim = Claim.take(Path(sys.argv[1]))
print(claim is not None, flush=True)
sys.stdin.readline()
if claim is not None:
    claim.release()
"""


class Machine:
    """A process that tries to claim the run in `directory`, and keeps it until `let_go` or `kill`."""

    def __init__(self, directory: Path, name: str, code: str = HOLD) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OF_ANOTHER_MACHINE + code, str(directory), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def has_it(self) -> bool:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        return line == "True\n"

    def let_go(self) -> None:
        self.process.communicate("\n", timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


class StartMachine(Protocol):
    def __call__(self, name: str, code: str = HOLD) -> Machine: ...


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[StartMachine]:
    started: list[Machine] = []

    def start(name: str, code: str = HOLD) -> Machine:
        started.append(Machine(tmp_path, name, code))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def grow_silent(directory: Path, seconds: float = SILENT_SECONDS + 1) -> None:
    past = time.time() - seconds
    os.utime(owner_file(directory, last_owner(directory)), (past, past))


def test_of_many_machines_at_once_one_gets_the_run(tmp_path: Path, machine: StartMachine) -> None:
    code = """
import os, time
from pathlib import Path
Path(sys.argv[1], f"ready-{sys.argv[2]}").touch()
while not Path(sys.argv[1], "go").exists():
    time.sleep(0.001)
"""
    machines = [machine(f"m{number}", code + HOLD) for number in range(6)]
    until(lambda: len(list(tmp_path.glob("ready-*"))) == 6, "the machines are not ready")
    (tmp_path / "go").touch()
    got = [each.has_it() for each in machines]
    assert got.count(True) == 1
    assert last_owner(tmp_path) == 1


def test_another_machine_gets_it_once_it_was_let_go(tmp_path: Path, machine: StartMachine) -> None:
    first = machine("a")
    assert first.has_it()
    assert not machine("b").has_it()
    first.let_go()
    assert machine("b").has_it()
    assert last_owner(tmp_path) == 2


def test_a_dead_machine_counts_for_a_minute(tmp_path: Path, machine: StartMachine) -> None:
    first = machine("a")
    assert first.has_it()
    first.kill()
    assert not machine("b").has_it()
    grow_silent(tmp_path)
    assert machine("b").has_it()


def test_on_the_same_machine_a_dead_process_does_not_count(tmp_path: Path, machine: StartMachine) -> None:
    first = machine("a")
    assert first.has_it()
    first.kill()
    assert machine("a").has_it()
    # And where locks are shared by the machines, a lock that is held counts, however silent its owner is.
    claim = Claim.take(tmp_path)
    assert claim is None  # the second one beats still


def test_a_live_process_keeps_it_however_silent(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys\n" + HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    grow_silent(tmp_path, 10 * SILENT_SECONDS)
    assert Claim.take(tmp_path) is None
    holder.kill()
    holder.communicate()
    claim = Claim.take(tmp_path)
    assert claim is not None
    claim.release()


def test_an_owner_that_was_taken_for_dead_ends(tmp_path: Path, machine: StartMachine) -> None:
    code = """
from pathlib import Path
from ddrsa.rundir import claims
claims.HEARTBEAT_SECONDS = 1.0
with claims.claimed(Path(sys.argv[1])):
    print(True, flush=True)
    sys.stdin.readline()
    Path(sys.argv[1], "written").touch()
"""
    sleeper = machine("a", code)
    assert sleeper.has_it()
    sleeper.process.send_signal(signal.SIGSTOP)  # its machine sleeps
    until(lambda: psutil.Process(sleeper.process.pid).status() == psutil.STATUS_STOPPED, "it goes on")
    grow_silent(tmp_path)
    successor = machine("b")
    assert successor.has_it()
    sleeper.process.send_signal(signal.SIGCONT)
    assert sleeper.process.wait(60) == claims.LOST_EXIT_CODE
    assert "taken over by process" in sleeper.process.communicate()[1]
    assert not (tmp_path / "written").exists()
    assert not machine("c").has_it()


def test_the_owner_beats(tmp_path: Path) -> None:
    claim = Claim.take(tmp_path)
    assert claim is not None
    grow_silent(tmp_path, 1000)
    claim.beat()
    assert time.time() - owner_file(tmp_path, 1).stat().st_mtime < 30
    claim.release()
    assert owner_file(tmp_path, 1).stat().st_mtime == 0
    claim.beat()
    assert owner_file(tmp_path, 1).stat().st_mtime == 0


def test_claimed_is_for_the_process_that_has_it_already(tmp_path: Path, machine: StartMachine) -> None:
    claim = Claim.take(tmp_path)
    assert claim is not None
    with claimed(tmp_path):
        assert last_owner(tmp_path) == 1
    assert claim.held
    claim.release()
    other = machine("b")
    assert other.has_it()
    with (
        pytest.raises(RunElsewhereError, match=r"is being done by process \d+ on b: it is left alone"),
        claimed(tmp_path),
    ):
        pytest.fail("it is another's")
    other.let_go()
    with claimed(tmp_path):
        assert Claim.take(tmp_path) is None
    assert owner_file(tmp_path, last_owner(tmp_path)).stat().st_mtime == 0


def test_whoever_knows_that_a_job_is_dead_lets_its_run_go(tmp_path: Path, machine: StartMachine) -> None:
    code = HOLD.replace("sys.argv[1]))", "sys.argv[1]), job='job 7')")
    dead = machine("a", code)
    assert dead.has_it()
    dead.kill()
    release_dead(tmp_path, "job 8")
    assert not machine("b").has_it()
    release_dead(tmp_path, "job 7")
    assert machine("b").has_it()


def test_a_claim_is_lost_to_a_higher_number(tmp_path: Path) -> None:
    told: list[Claim] = []
    claim = Claim.take(tmp_path, when_lost=told.append)
    assert claim is not None
    assert not claim.is_lost()
    owner_file(tmp_path, 2).write_text("{}")
    assert claim.is_lost()
    assert told == [claim]
    claim.release()
    assert owner_file(tmp_path, 2).stat().st_mtime > 0


def test_what_is_shown_of_a_run_of_another_host(tmp_path: Path, machine: StartMachine) -> None:
    status = {"state": "running", "hostname": "elsewhere", "pid": 1, "started_at": now()}
    assert not is_lost(tmp_path, status)  # nothing is known
    other = machine("elsewhere")
    assert other.has_it()
    assert not is_lost(tmp_path, status)
    grow_silent(tmp_path, 2 * SILENT_SECONDS)
    assert is_lost(tmp_path, status)
    assert not is_lost(tmp_path, {**status, "state": "completed"})


def test_a_file_system_without_locks_is_an_error(tmp_path: Path) -> None:
    code = """
import errno, os
from pathlib import Path
from ddrsa.rundir import locked_files
from ddrsa.rundir.claims import Claim
from ddrsa.errors import ConfigError
def refuse(descriptor, blocking):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
locked_files.lock_descriptor = refuse
try:
    Claim.take(Path(sys.argv[1]))
except ConfigError as error:
    print(error)
"""
    command = [sys.executable, "-c", "import sys\n" + code, str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "has no locks (flock: No locks available)" in output


def test_the_owner_is_named_in_its_file(tmp_path: Path) -> None:
    claim = Claim.take(tmp_path, job="job 7")
    assert claim is not None
    content = json.loads(owner_file(tmp_path, 1).read_text())
    assert (content["pid"], content["job"], content["machine"]) == (os.getpid(), "job 7", claims.machine_id())
    claim.release()
