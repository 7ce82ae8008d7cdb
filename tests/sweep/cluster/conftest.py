"""A cluster of Ray and a Slurm, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slurm_node import SlurmNode


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes of two cores and one GPU each, as far as Ray knows."""
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 2, "num_gpus": 1, "object_store_memory": 80 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
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
