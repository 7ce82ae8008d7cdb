"""A fake NVIDIA driver, and processes that hold GPUs."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from searches import Searches
from supervised import FAKE_DRIVER, Sweeps

HERE = Path(__file__).parent


@pytest.fixture
def fake_driver(monkeypatch):
    """The function that sets the GPUs of this process: its `pynvml` is the one in fake_driver/ (see pyproject.toml)."""
    monkeypatch.setenv("FAKE_TOTAL", str(80 * 2**30))
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "FAKE_GPUS"):
        monkeypatch.setenv(name, "")  # so that what the test sets is undone
        monkeypatch.delenv(name)
    return lambda *gpus: monkeypatch.setenv("FAKE_GPUS", ",".join(gpus))


class Holder:
    """A process that runs hold_gpu.py."""

    def __init__(self, process):
        self.process = process

    def read(self):
        """The next line that it prints; waits for it."""
        timer = threading.Timer(20, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        assert line, f"the process ended with {self.process.wait()}: {self.process.stderr.read()}"
        return json.loads(line)

    def holds_a_gpu(self, within):
        """Whether it has said so; only before the first `read`."""
        return bool(select.select([self.process.stdout], [], [], within)[0])

    def let_go(self):
        self.process.stdin.close()

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def until_waiting(tmp_path):
    """Block until so many processes of `hold_gpu` have queued."""

    def wait(count):
        deadline = time.monotonic() + 10
        while len(list(tmp_path.glob("leases/*.waiting"))) != count:
            assert time.monotonic() < deadline, "the processes have not queued"
            time.sleep(0.01)

    return wait


@pytest.fixture
def hold_gpu(tmp_path):
    """Start a process that leases a GPU: hold_gpu(gpus, hold=seconds or None, **arguments of lease_gpu)."""
    environ = {**os.environ, "PYTHONPATH": str(FAKE_DRIVER), "DDRSA_LEASE_DIR": str(tmp_path / "leases")}
    environ |= {"FAKE_TOTAL": str(80 * 2**30), "FAKE_ALLOCATIONS": str(tmp_path)}
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "FAKE_GPUS"):
        environ.pop(name, None)
    with contextlib.ExitStack() as stack:

        def start(gpus="auto", *, hold=None, fork=False, variables=None, **arguments):
            options = json.dumps({"lease": {"gpus": gpus, **arguments}, "hold": hold, "fork": fork})
            process = subprocess.Popen(
                [sys.executable, HERE / "hold_gpu.py", options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**environ, **(variables or {})},
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return Holder(process)

        yield start


@pytest.fixture
def sweeps(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sweeps]:
    """Sweeps of supervised_app.py; whatever still runs at the end is killed."""
    with Sweeps(tmp_path) as sweeps:
        sweeps.environ |= getattr(request, "param", {})
        yield sweeps


@pytest.fixture
def searches(tmp_path: Path) -> Iterator[Searches]:
    """Searches of search_app.py; whatever still runs at the end is killed."""
    with Searches(tmp_path) as searches:
        yield searches
