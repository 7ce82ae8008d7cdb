from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from programs import TRAINING, run_program

from ddrsa.data.sequences import Sequences
from ddrsa.rundir.training import TrainingDirectory, find_trainings

ROOT = Path(__file__).parent.parent


def pytest_configure() -> None:
    # A shell lets its background jobs ignore SIGINT, and nohup SIGHUP: the processes of the tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    # Concurrent threads of tiny models only get in each other's way.
    torch.set_num_threads(1)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DDRSA_CACHE_DIR": str(tmp_path / "cache"),
        "DDRSA_LEASE_DIR": str(tmp_path / "leases"),
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="session")
def nasa_dir() -> Path:
    """The data_dir with NASA's files."""
    data_dir = os.environ.get("DDRSA_DATA_DIR")
    if not data_dir:
        pytest.skip("DDRSA_DATA_DIR is not set: no NASA files")
    if not (Path(data_dir) / "turbofan" / "train_FD001.txt.gz").is_file():
        pytest.skip(f"DDRSA_DATA_DIR={data_dir} has no turbofan/train_FD001.txt.gz")
    return Path(data_dir)


@pytest.fixture
def fleet() -> Sequences:
    """Twelve short units whose one informative feature falls as the failure comes nearer; two are censored."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 30, 12)
    unit = np.repeat(np.arange(1, 13), lengths)
    cycle = np.concatenate([np.arange(n) for n in lengths])
    time_to_event = (np.repeat(lengths, lengths) - 1 - cycle).astype(np.float32)
    signal = np.exp(-time_to_event / 8) + rng.normal(0, 0.05, len(unit))
    features = np.column_stack([signal, rng.normal(size=len(unit))]).astype(np.float32)
    return Sequences(features, unit, time_to_event, ~np.isin(unit, [3, 8]), ("signal", "noise"))


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> TrainingDirectory:
    """A small run on a simulated fleet with some censored units, done by the command line and drawn; once for all."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "trained"
    with FileLock(f"{root}.lock"):
        if not root.exists():
            root.mkdir()
            _train(root)
    (run,) = find_trainings(root / "sweep")
    return run


def _train(root: Path) -> None:
    environment = {
        **os.environ,
        "DDRSA_CACHE_DIR": str(root / "cache"),
        "DDRSA_LEASE_DIR": str(root / "leases"),
        "PYTHONPATH": str(ROOT),
    }
    overrides = ["dataset.num_units=16", "dataset.censored_fraction=0.2", "lookback=8", "horizon=24", "num_epochs=3"]
    overrides += ["batch_size=256", "model.hidden_size=4", "learning_rate=0.03", "device=cpu", "visualize=true"]
    given = (*overrides, "hydra.sweep.dir=sweep")
    done = run_program(ROOT / "train.py", *given, imports=TRAINING, cwd=root, env=environment)
    assert done.returncode == 0, done.stderr
