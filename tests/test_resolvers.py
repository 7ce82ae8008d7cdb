from __future__ import annotations

import joblib
import pytest
from hydra import compose, initialize

import ddrsa.task  # noqa: F401  (registers resolvers, schema and plugins)
from ddrsa.compat_hydra import VERSION_BASE


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["gpus=[0,1]", "runs_per_gpu=3"], 6),
        (["gpus=[0,1]", "runs_per_gpu=auto"], max(2, joblib.cpu_count())),
        (["gpus=[0,1]", "runs_per_gpu=auto", "device=cpu"], max(2, joblib.cpu_count())),
        (["device=cpu"], -1),
        (["device=cpu", "runs_per_gpu=auto"], -1),
        (["device=mps"], 1),
        (["device=mps", "runs_per_gpu=3"], 3),
    ],
)
def test_how_many_runs_are_started_at_once(overrides: list[str], expected: float) -> None:
    with initialize(config_path="../conf", **VERSION_BASE):
        config = compose("config", overrides, return_hydra_config=True)
    assert config.hydra.launcher.n_jobs == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [([], 1), (["runs_per_gpu=4"], 0.25), (["runs_per_gpu=auto"], 1), (["device=cpu", "runs_per_gpu=4"], 0)],
)
def test_what_a_run_asks_of_ray(overrides: list[str], expected: float) -> None:
    with initialize(config_path="../conf", **VERSION_BASE):
        config = compose("config", ["hydra/launcher=ray", *overrides], return_hydra_config=True)
    assert config.hydra.launcher.ray.remote.num_gpus == expected
