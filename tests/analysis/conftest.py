"""Real run directories with known results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from analysis_runs import MakeRun, metrics
from omegaconf import OmegaConf

from ddrsa.rundir import RunDirectory, write_json


@pytest.fixture
def sweep_dir(tmp_path: Path) -> Path:
    path = tmp_path / "sweep"
    path.mkdir()
    return path


@pytest.fixture
def make_run(sweep_dir: Path) -> MakeRun:
    """Writes one run directory: its model, its state, its result and what is special in its config."""
    made: list[RunDirectory] = []

    def make(
        model: str = "lstm",
        state: str = "completed",
        result: dict[str, Any] | None = None,
        dataset: dict[str, Any] | None = None,
        error: str | None = None,
        model_options: dict[str, Any] | None = None,
        **config: Any,
    ) -> RunDirectory:
        dataset = dataset or {"name": "simulated"}
        run = RunDirectory(sweep_dir / "logs" / dataset["name"] / model / f"run{len(made):03}")
        run.config.parent.mkdir(parents=True)
        default = {"batch_size": 64, "seed": 0, "device": "auto"}
        OmegaConf.save(
            {**default, "model": {"name": model, **(model_options or {})}, "dataset": dataset, **config}, run.config
        )
        if state != "pending":
            run.begin(f"id{len(made)}", num_epochs=3, best_validation_loss=0.5, gpu_index=None)
            run.update(epoch=3)
        if state not in ("pending", "running"):
            run.end(state, error)
        if state == "completed":
            write_json(run.test_metrics, result if result is not None else metrics(10, 12, 0.8))
        made.append(run)
        return run

    return make
