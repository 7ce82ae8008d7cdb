"""Nothing outlives a launcher, its server or its guardian, whichever is killed or stopped, and whenever."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import psutil
import pytest
from supervised import Sweeps, both_ways

from ddrsa.sweep.process.channel import Channel
from ddrsa.sweep.process.server import Server
from ddrsa.sweep.verify.bench import until


def guardian_and_server(launcher: int) -> tuple[psutil.Process, psutil.Process]:
    (guardian,) = psutil.Process(launcher).children()
    (server,) = guardian.children()
    return guardian, server


@both_ways
def test_a_launcher_that_is_killed_while_its_server_imports(sweeps: Sweeps) -> None:
    (sweeps.directory / "slow_to_import.py").write_text(
        "import pathlib, time\npathlib.Path('imports').touch()\ntime.sleep(120)\n"
    )
    process = sweeps.start("x=0", "hydra.launcher.preload=[slow_to_import]")
    until((sweeps.directory / "imports").exists, "the server does not import")
    process.kill()
    until(lambda: not sweeps.processes(), "the server outlived its launcher", seconds=10)


@both_ways
def test_a_server_that_is_killed_while_it_imports_is_replaced(sweeps: Sweeps) -> None:
    (sweeps.directory / "slow_once.py").write_text(
        "import pathlib, time\nif not pathlib.Path('imports').exists():\n"
        "    pathlib.Path('imports').touch()\n    time.sleep(120)\n"
    )
    process = sweeps.start("x=0", "hydra.launcher.preload=[slow_once]")
    until((sweeps.directory / "imports").exists, "the server does not import")
    for each in sweeps.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    exit_code, output = sweeps.finish(process)
    assert exit_code == 0, output
    assert sweeps.states() == {"x0": "completed"}


@pytest.mark.parametrize("killed", ["server", "guardian", pytest.param("both", marks=pytest.mark.slow)])
def test_what_a_run_has_started_ends_with_the_server_and_with_the_guardian(sweeps: Sweeps, killed: str) -> None:
    sweeps.do({0: "hang"})  # with a child in a session of its own that ignores SIGTERM
    process = sweeps.start("x=0", "hydra.launcher.retries=1")
    until(lambda: sweeps.starts() and len(sweeps.processes()) == 4, "the run has not started its child")
    before = sweeps.processes()
    sweeps.do({})
    guardian, server = guardian_and_server(process.pid)
    for each in {"server": [server], "guardian": [guardian], "both": [server, guardian]}[killed]:
        each.suspend()
    for each in {"server": [server], "guardian": [guardian], "both": [server, guardian]}[killed]:
        each.kill()
    exit_code, output = sweeps.finish(process)
    assert exit_code == 0, output
    assert "Traceback" not in output
    assert [each for each in before if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
    assert sweeps.status("x0")["attempt"] == 2
    assert sweeps.processes() == []


def test_a_stopped_server_does_not_keep_a_sweep_from_ending(sweeps: Sweeps) -> None:
    sweeps.do({0: "hang"})
    process = sweeps.start("x=0")
    until(lambda: sweeps.starts() and len(sweeps.processes()) == 4, "the run has not started its child")
    guardian_and_server(process.pid)[1].suspend()
    process.send_signal(signal.SIGTERM)
    exit_code, output = sweeps.finish(process, 60)
    assert exit_code == 130, output
    assert sweeps.status("x0")["state"] == "interrupted"
    assert sweeps.processes() == []


def test_a_run_for_which_there_is_no_process_fails_alone() -> None:
    class Exhausted(Server):
        def start(self, number: int, job: int, lock: int) -> None:  # noqa: ARG002
            raise BlockingIOError(11, "Resource temporarily unavailable")

    ours, its = map(Channel, socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
    ours.send(*[os.open(os.devnull, os.O_RDWR) for _ in range(2)], do="start", number=7)
    assert Exhausted(its).obey() is None
    message, _ = ours.receive(10)
    assert (message["event"], message["number"]) == ("not started", 7)
    assert "Resource temporarily unavailable" in message["reason"]
