"""The supervised launcher where memory runs out, on a fake GPU and by the real kernel."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpu_holders import HoldGpu
from supervised import Sweeps

from ddrsa.sweep.verify.bench import until

MEMORY_GROUPS = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")  # of version 1, of version 2


def test_a_run_that_ran_out_of_a_shared_gpu_s_memory_gets_one_to_itself(sweeps: Sweeps) -> None:
    sweeps.with_gpus("GPU-a=0", runs_per_gpu="auto")
    sweeps.do({1: "gpu", 2: "much gpu", 3: "gpu"})
    exit_code, output = sweeps.run("x=1,2,3", "seconds=3", "hydra.launcher.n_jobs=3", "hydra.launcher.retries=0")
    assert exit_code == 0, output
    assert [sweeps.status(f"x{x}")["attempt"] for x in (1, 2, 3)] == [1, 2, 1]
    log = sweeps.path("x2").log.read_text()
    assert "CUDA out of memory. Tried to allocate 75 GiB" in log
    assert "attempt 2 starts (2 of 2 by this launcher)" in log
    assert sweeps.status("x2")["error"] is None


def test_a_run_that_has_a_gpu_to_itself_and_runs_out_of_memory_has_failed(sweeps: Sweeps) -> None:
    sweeps.with_gpus(f"GPU-a={30 * 2**30}", runs_per_gpu="auto")
    sweeps.do({1: "much gpu"})
    exit_code, output = sweeps.run("x=1", "hydra.launcher.retries=0")
    assert exit_code == 1, output
    assert sweeps.status("x1")["attempt"] == 2  # the first one might have been beside others
    assert "out of memory on the GPU" in sweeps.status("x1")["error"]


def test_a_run_that_was_killed_is_tried_again_on_another_gpu(sweeps: Sweeps) -> None:
    sweeps.with_gpus("GPU-a=0", "GPU-b=0", runs_per_gpu=1)
    sweeps.do({1: "kill on gpu 0"})
    exit_code, output = sweeps.run("x=1", "hydra.launcher.retries=1")
    assert exit_code == 0, output
    assert sweeps.status("x1")["attempt"] == 2
    assert sweeps.status("x1")["return_value"] == sweeps.status("x1")["gpu_index"] == 1


def test_waiting_for_a_gpu_does_not_use_up_the_time_of_a_run(sweeps: Sweeps, hold_gpu: HoldGpu) -> None:
    sweeps.with_gpus("GPU-a=0", runs_per_gpu=1)
    held = hold_gpu(variables={"FAKE_GPUS": "GPU-a=0"})
    held.read()
    sweeps.do({1: "gpu"})
    minutes = 0.08
    process = sweeps.start("x=1", "seconds=0", f"hydra.launcher.timeout={minutes}")
    until(lambda: list(sweeps.directory.glob("leases/*.waiting")), "the run waits for the GPU")
    waits = time.monotonic()
    until(lambda: time.monotonic() > waits + 60 * minutes + 0.5, "the timeout, and as long as one looks at the clock")
    held.let_go()
    exit_code, output = sweeps.finish(process)
    assert exit_code == 0, output
    assert sweeps.states() == {"x1": "completed"}


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """A control group of the kernel with 700 MiB, for processes that write their number into its cgroup.procs."""
    parent = next((group for group in MEMORY_GROUPS if os.access(group, os.W_OK)), None)
    if parent is None or os.geteuid() != 0:
        pytest.skip("making a control group with little memory needs root and a writable /sys/fs/cgroup")
    group = parent / f"ddrsa-{uuid.uuid4().hex}"
    group.mkdir()
    limits = [group / name for name in ("memory.limit_in_bytes", "memory.max") if (group / name).exists()]
    try:
        if not limits:
            pytest.skip("the control groups here do not limit memory")
        limits[0].write_text(str(700 * 2**20))
        yield group
    finally:
        group.rmdir()


def test_a_run_that_the_kernel_kills_for_memory(sweeps: Sweeps, small_memory: Path) -> None:
    sweeps.do({1: "host memory taken", 2: "epochs", 3: "epochs"})
    process = sweeps.start("x=1,2,3", "count=10")
    (small_memory / "cgroup.procs").write_text(str(process.pid))  # before it has begun to start others
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output
    assert sweeps.states() == {"x1": "killed", "x2": "completed", "x3": "completed"}
    assert sweeps.status("x1")["error"] == "out of memory on the host: killed by SIGKILL"
    assert sweeps.epochs("x2") == list(range(1, 11))
