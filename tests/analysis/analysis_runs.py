"""What the tests of the analysis share: run directories, and a known result of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import write_json

MakeRun = Callable[..., RunDirectory]


def metrics(rul_mae: float, rul_rmse: float, concordance_index: float, **more: Any) -> dict[str, Any]:
    """The same on the test units and on the validation units, unless `validation` says otherwise."""
    values = {
        "rul_mae": rul_mae,
        "rul_rmse": rul_rmse,
        "concordance_index": concordance_index,
        "oti": [{"cost": 64, "miss_rate": 0.1, "mean_time_to_event": 12.5}],
    }
    return {**values, "n_parameters": 1000, "validation": values, **more}


def result(validation_mae: float, test_mae: float = 50.0) -> dict[str, Any]:
    """A result of which only the MAE matters."""
    return {**metrics(test_mae, 1, 0.5), "validation": {"rul_mae": validation_mae}}


def run_maker(sweep_dir: Path) -> MakeRun:
    """A function that writes one run directory: its model, its state, its result and what is special in its config."""
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
        default = {"batch_size": 64, "seed": 0, "device": "auto", "lookback": 32, "horizon": 64, "lambda_param": 0.75}
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
