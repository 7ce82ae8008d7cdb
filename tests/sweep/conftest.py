"""A fake NVIDIA driver, and processes that hold GPUs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from gpu_holders import Holder, HoldGpu, SetGpus, UntilWaiting
from searches import Searches
from supervised import FAKE_DRIVER, Sweeps

HERE = Path(__file__).parent


@pytest.fixture
def fake_driver(monkeypatch: pytest.MonkeyPatch) -> SetGpus:
    """The function that sets the GPUs of this process: its `pynvml` is the one in fake_driver/ (see pyproject.toml)."""
    monkeypatch.setenv("FAKE_TOTAL", str(80 * 2**30))
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "FAKE_GPUS"):
        monkeypatch.setenv(name, "")  # so that what the test sets is undone
        monkeypatch.delenv(name)
    return lambda *gpus: monkeypatch.setenv("FAKE_GPUS", ",".join(gpus))


@pytest.fixture
def until_waiting(tmp_path: Path) -> UntilWaiting:
    """Block until so many processes of `hold_gpu` have queued."""

    def wait(count: int) -> None:
        deadline = time.monotonic() + 10
        while len(list(tmp_path.glob("leases/*.waiting"))) != count:
            assert time.monotonic() < deadline, "the processes have not queued"
            time.sleep(0.01)

    return wait


@pytest.fixture
def hold_gpu(tmp_path: Path) -> Iterator[HoldGpu]:
    """Start a process that leases a GPU: hold_gpu(gpus, hold=seconds or None, **arguments of lease_gpu)."""
    environ = {**os.environ, "PYTHONPATH": str(FAKE_DRIVER), "DDRSA_LEASE_DIR": str(tmp_path / "leases")}
    environ |= {"FAKE_TOTAL": str(80 * 2**30), "FAKE_ALLOCATIONS": str(tmp_path)}
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "FAKE_GPUS"):
        environ.pop(name, None)
    with contextlib.ExitStack() as stack:

        def start(
            gpus: str | Sequence[int] = "auto",
            *,
            hold: float | None = None,
            fork: bool = False,
            variables: Mapping[str, str] | None = None,
            **arguments: object,
        ) -> Holder:
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
            return Holder(process, tmp_path)

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
