"""A fake NVIDIA driver, processes that hold GPUs, and clusters on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from gpu_holders import Holder, HoldGpu, SetGpus, UntilWaiting
from searches import Searches
from slurm_node import SlurmNode
from supervised import FAKE_DRIVER, Sweeps

HERE = Path(__file__).parent
# A scheduler takes its time, and each of its workers and jobs imports what the runs need.
SECONDS_OF_A_SCHEDULER = 900


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
        if any(request.node.get_closest_marker(scheduler) for scheduler in ("ray", "slurm")):
            sweeps.patience = SECONDS_OF_A_SCHEDULER
        yield sweeps


@pytest.fixture
def searches(tmp_path: Path) -> Iterator[Searches]:
    """Searches of search_app.py; whatever still runs at the end is killed."""
    with Searches(tmp_path) as searches:
        yield searches


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes of two cores and one GPU each, as far as Ray knows."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 2, "num_gpus": 1, "object_store_memory": 80 * 2**20}
    # Ray kills a worker that has not said within a minute that it has started, and starts another: for ever, on a
    # machine with much else to do.
    head = {**node, "include_dashboard": False, "_system_config": {"worker_register_timeout_seconds": 900}}
    made = Cluster(initialize_head=True, head_node_args=head)
    made.add_node(**node)
    made.wait_for_nodes()
    yield made
    made.shutdown()


@pytest.fixture
def on_ray(cluster: Any) -> list[str]:
    return ["hydra/launcher=ray", f"hydra.launcher.ray.init.address='{cluster.address}'", "hydra.launcher.n_jobs=null"]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmNode]:
    if missing := SlurmNode.missing():
        pytest.skip(missing)
    made = SlurmNode(tmp_path_factory.mktemp("slurm"))
    try:
        made.start()
        yield made
    finally:
        made.stop()
