"""What the launchers of schedulers do without their scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpu_holders import SetGpus
from supervised import Sweeps

from ddrsa.sweep.cluster.node import given_resources, node_environment
from ddrsa.sweep.cluster.ray import _room
from ddrsa.sweep.gpu.lease import current_lease, lease_gpu, release_current
from ddrsa.sweep.process.cores import threads_per_run


@pytest.mark.parametrize(("launcher", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_without_the_extra(sweeps: Sweeps, launcher: str, package: str) -> None:
    # Beside the app, where Python looks first.
    (sweeps.directory / f"{package}.py").write_text("raise ImportError('as if it were not installed')")
    exit_code, output = sweeps.run("x=1", f"hydra/launcher={launcher}")
    assert exit_code == 2
    assert len(output.strip().splitlines()) == 1
    assert f"error: hydra/launcher={launcher} needs" in output
    assert f"pip install 'ddrsa[{launcher}]'" in output
    assert not (sweeps.directory / "sweep").exists()


def test_a_gpu_that_is_given_needs_no_lease(
    fake_driver: SetGpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_driver("GPU-a", "GPU-b")
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(tmp_path / "leases"))
    for name, value in given_resources("1", 4).items():
        monkeypatch.setenv(name, value)
    lease = lease_gpu([0, 1, 2], 1)
    assert lease is not None
    # The first of those that it sees, whatever `gpus` asks for.
    assert (lease.index, lease.gpu.identity, lease.shared) == (0, "GPU-b", False)
    assert current_lease() is lease
    release_current()
    assert current_lease() is None
    assert not (tmp_path / "leases").exists()
    monkeypatch.setenv("DDRSA_GIVEN_GPU", "shared")
    lease = lease_gpu()
    assert lease is not None
    assert lease.shared
    release_current()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert lease_gpu() is None


def test_cores_that_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert given_resources(None, 3) == {"DDRSA_CPUS": "3"}
    monkeypatch.setenv("DDRSA_CPUS", "3")
    assert threads_per_run(256, cores=16) == 3


def test_what_runs_elsewhere_get_of_the_environment() -> None:
    environ = {"DDRSA_DATA_DIR": "/data", "DDRSA_LEASE_DIR": "/tmp/x", "DDRSA_CPUS": "2", "TOKEN": "t", "HOME": "/root"}
    assert node_environment(["TOKEN", "ABSENT"], environ) == {"DDRSA_DATA_DIR": "/data", "TOKEN": "t"}


@pytest.mark.parametrize(
    ("request_", "room"),
    [({"num_cpus": 1}, 8), ({"num_cpus": 3}, 2), ({"num_cpus": 1, "num_gpus": 0.5}, 4), ({"num_cpus": 16}, 1)],
)
def test_room_in_a_ray_cluster(request_: dict[str, float], room: int) -> None:
    assert _room({"CPU": 8.0, "GPU": 2.0}, request_) == room
