"""A script as a child process, with real processes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ddrsa.errors import ConfigError
from ddrsa.scripts.process import Terminated, execute

# Each prints the process id of a child in a session of its own.
WITH_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
"""


def run(tmp_path: Path, text: str) -> int:
    return execute([sys.executable, "-c", text], tmp_path / "log", tmp_path, os.environ)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def child_of(log: Path) -> int:
    deadline = time.monotonic() + 30
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(log.read_text())


@pytest.mark.parametrize(
    ("text", "code"),
    [("print(1)", 0), ("import sys; sys.exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)],
)
def test_exit_codes(tmp_path: Path, text: str, code: int) -> None:
    assert run(tmp_path, text) == code


def test_both_outputs_go_to_the_log_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    run(tmp_path, "import sys; print('a', flush=True); print('b', file=sys.stderr, flush=True); print('c')")
    assert (tmp_path / "log").read_text() == "before\na\nb\nc\n"


def test_it_works_in_its_directory_and_reads_nothing(tmp_path: Path) -> None:
    run(tmp_path, "import os, sys; print(os.getcwd(), repr(sys.stdin.read()))")
    assert (tmp_path / "log").read_text() == f"{tmp_path} ''\n"


def test_what_it_leaves_behind_is_ended(tmp_path: Path) -> None:
    assert run(tmp_path, WITH_CHILD) == 0
    assert not is_running(child_of(tmp_path / "log"))


def test_processes_of_before_are_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        run(tmp_path, WITH_CHILD)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_sigterm_ends_it_and_its_children(tmp_path: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WITH_CHILD + "time.sleep(600)"
    watcher = f"""
import os, signal, time
while not open({str(tmp_path / "log")!r}).read().endswith("\\n"): time.sleep(0.05)
os.kill({os.getpid()}, signal.SIGTERM)
"""
    (tmp_path / "log").touch()
    before, children = signal.getsignal(signal.SIGTERM), set(psutil.Process().children())
    with subprocess.Popen([sys.executable, "-c", watcher]), pytest.raises(Terminated):
        run(tmp_path, ignoring)
    assert signal.getsignal(signal.SIGTERM) is before
    assert not is_running(child_of(tmp_path / "log"))
    left = set(psutil.Process().children()) - children
    assert not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


def test_what_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no_such_python cannot be started"):
        execute(["no_such_python", "x.py"], tmp_path / "log", tmp_path, os.environ)
