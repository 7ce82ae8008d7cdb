"""Tiny trainings by the command line, for the tests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from programs import TRAINING, run_program

from ddrsa.rundir.training import TrainingDirectory, find_trainings

ROOT = Path(__file__).parent.parent
TINY = [
    "dataset.num_units=10",
    "lookback=6",
    "horizon=20",
    "num_epochs=3",
    "batch_size=256",
    "model.hidden_size=4",
    "device=cpu",
]


def train(
    tmp_path: Path, environment: dict[str, str], *overrides: str, sweep: str = "sweep", tiny: list[str] = TINY
) -> subprocess.CompletedProcess[str]:
    # -m has to stand before the overrides: Hydra's parser does not take it between them.
    flags = [override for override in overrides if override == "-m"]
    others = [override for override in overrides if override != "-m"]
    arguments = [*flags, *tiny, f"hydra.sweep.dir={sweep}", *others]
    return run_program(ROOT / "train.py", *arguments, imports=TRAINING, cwd=tmp_path, env=environment)


def only_run(sweep: Path) -> TrainingDirectory:
    (run,) = find_trainings(sweep)
    return run


def metrics_of(run: TrainingDirectory) -> dict[str, Any]:
    metrics = run.read_test_metrics()
    assert metrics is not None
    return metrics
