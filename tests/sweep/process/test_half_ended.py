"""Processes whose first thread has ended and another has not: the system says of them that they are zombies."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ddrsa.sweep.process import guardian
from ddrsa.sweep.process.tree import descendants, kill_descendants
from ddrsa.sweep.verify.bench import until

# Its child is in a session of its own, as the workers of torchrun are.
HALF_ENDED = """
import ctypes, os, subprocess, sys, threading, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
Path("pids").write_text(f"{os.getpid()} {child.pid}")
ctypes.CDLL(None).syscall(SYS_exit, 0)
"""

LAUNCHER = """
import os, subprocess, sys, time
fds = [*os.pipe(), *os.pipe()][:3]
words = [sys.executable, sys.argv[1], str(os.getpid()), *map(str, fds), sys.executable, "half_ended.py"]
subprocess.Popen(words, pass_fds=fds)
time.sleep(300)
"""

SYS_EXIT = {"x86_64": 60, "aarch64": 93}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has threads that are tasks")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    number = SYS_EXIT.get(platform.machine())
    if number is None:
        pytest.skip("the number of the system call is not known here")
    file = tmp_path / "half_ended.py"
    file.write_text(HALF_ENDED.replace("SYS_exit", str(number)))
    return file


def half_ended_and_child(directory: Path) -> list[psutil.Process]:
    file = directory / "pids"
    until(lambda: file.exists() and len(file.read_text().split()) == 2, "the program did not start")
    found = [psutil.Process(int(pid)) for pid in file.read_text().split()]
    until(lambda: found[0].status() == psutil.STATUS_ZOMBIE, "the first thread did not end")
    return found


def is_there(process: psutil.Process) -> bool:
    return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)


def test_the_guardian_kills_it_and_what_is_below_it(program: Path) -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, guardian.__file__], cwd=program.parent)
    found = half_ended_and_child(program.parent)
    launcher.kill()
    launcher.wait()
    try:
        until(lambda: not any(map(is_there, found)), "it outlived its launcher", seconds=10)
    finally:
        for each in filter(is_there, found):
            each.kill()


def test_it_is_among_the_descendants_that_are_killed(program: Path) -> None:
    process = subprocess.Popen([sys.executable, program.name], cwd=program.parent)
    found = half_ended_and_child(program.parent)
    try:
        assert set(found) <= set(descendants())
        kill_descendants(keep=set(descendants()) - set(found))
        assert not any(map(is_there, found))
        process.wait()
        assert process.pid not in {each.pid for each in descendants()}
    finally:
        for each in filter(is_there, found):
            each.kill()
