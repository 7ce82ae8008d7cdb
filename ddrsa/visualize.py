"""Figures of trained runs: python -m ddrsa.visualize RUN_DIR [RUN_DIR ...], or visualize=true in training."""

from __future__ import annotations

import sys

from ddrsa.extras import run_module

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.visualize", "models"))  # before the imports that need the extra

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import platformdirs
import torch

from ddrsa.cli import USAGE_EXIT_CODE, in_one_line
from ddrsa.data.load import load_dataset
from ddrsa.data.windows import Windows
from ddrsa.errors import DataError
from ddrsa.figures import calibration, hazards, policy, rul, training
from ddrsa.figures.lives import sample_lives
from ddrsa.figures.style import ToldIn, write_figure
from ddrsa.models.forecast import forecast_windows
from ddrsa.rundir.epoch_rows import read_rows
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.started import subcommand
from ddrsa.texts import count_of, say
from ddrsa.time_scale import time_scale
from ddrsa.time_units import CYCLES
from ddrsa.trained import TrainedRun, load_trained

log = logging.getLogger(__name__)

PLOTS = "plots"


def visualize_run(
    directory: TrainingDirectory, *, data_dir: str, cache_dir: str, device: torch.device | str = "cpu"
) -> list[Path]:
    """Draw a completed run and its forecasts for the test units into `plots/` of its directory, without training.

    Returns the paths of the files. Raises DataError where the run is not complete or its data cannot be read.
    """
    try:
        metrics = directory.read_test_metrics()
    except ValueError as error:
        raise DataError(str(error)) from error
    if metrics is None:
        raise DataError(f"{directory.path} has no {directory.test_metrics.name}: only a completed run can be drawn")
    if not {"policies", "calibration"} <= metrics.keys():
        raise DataError(f"{directory.test_metrics} comes from an earlier version and lacks what is drawn: do it again")
    run = load_trained(directory.path, device=device, data_dir=data_dir, cache_dir=cache_dir)
    figures = {
        "training_curves": training.training_curves(_epochs(directory.training_log)),
        "policy_trade_off": policy.policy_trade_off(metrics["policies"], told_in(run)),
        "reliability": calibration.reliability(metrics["calibration"], measured_in(run)),
        **_of_forecasts(run, metrics),
    }
    plots = directory.path / PLOTS
    return [path for name, figure in figures.items() for path in write_figure(plots, name, figure)]


def _epochs(path: Path) -> pd.DataFrame:
    """The rows of a training_log.csv that are whole. Raises DataError where there is none."""
    try:
        rows, damaged = read_rows(path)
    except ValueError as error:
        raise DataError(str(error)) from error
    if not rows:
        raise DataError(f"{path} has no whole row: the curves of the training cannot be drawn")
    if damaged:
        log.warning("%s: damaged rows are left out, line %s", path, ", ".join(map(str, damaged)))
    return pd.DataFrame(rows).astype(float)


def visualize_if_possible(
    directory: TrainingDirectory, data_dir: str, cache_dir: str, device: torch.device, details: logging.Logger
) -> None:
    """`visualize_run` of a run that has just completed: its result stands, whatever becomes of its pictures.

    details: where the traceback of what went wrong goes.
    """
    shown = os.path.relpath(directory.path / PLOTS)
    try:
        visualize_run(directory, data_dir=data_dir, cache_dir=cache_dir, device=device)
    except Exception as error:
        log.error("%s could not be drawn: %s: %s", shown, type(error).__name__, error)  # noqa: TRY400
        details.error("why there are no plots", exc_info=error)
    else:
        log.info("plots in %s", shown)


def _of_forecasts(run: TrainedRun, metrics: dict[str, Any]) -> dict[str, Any]:
    config = run.config
    test = load_dataset(
        asdict(config.dataset),
        data_dir=config.data_dir,
        cache_dir=config.cache_dir,
        seed=config.training.seed,
        num_folds=config.num_folds,
        fold=config.fold,
    ).test
    windows = Windows(test, config.lookback, run.device, ages=run.model.reads_age)
    logits = forecast_windows(run.model, windows).cpu()
    lives, told = sample_lives(test, logits), told_in(run)
    figures = {"predicted_rul": rul.predicted_rul(logits, test.time_to_event, test.event_observed, lives, told)}
    if lives:
        figures["hazard_progression"] = hazards.hazard_progression(lives, told)
        figures["policy_along_life"] = policy.policy_along_lives(lives, shown_cost(metrics), told)
    return figures


def told_in(run: TrainedRun) -> ToldIn:
    """What the times of the run are told in."""
    scale = time_scale(run)
    return ToldIn() if scale.unit == CYCLES else ToldIn(scale.unit, scale.length, "Step")


def measured_in(run: TrainedRun) -> ToldIn:
    """As `told_in`, of the steps that the metrics of the run are in."""
    told = told_in(run)
    return told._replace(length=told.length * (run.config.measured_steps or 1))


def shown_cost(metrics: dict[str, Any]) -> float:
    """The cost at which the policy is drawn: tuned for 5 % missed, else for 10 %, else the largest that is reported."""
    tuned = [point["threshold"] for point in metrics["policies"]["oti"]["tuned"].values() if point is not None]
    return float(tuned[0] if tuned else metrics["oti"][-1]["cost"])


@in_one_line
def main(arguments: Sequence[str]) -> int:
    """Draw each of the run directories; return the exit code, 2 for what the user can mend."""
    if not arguments or arguments[0].startswith("-"):
        say(f"usage: {subcommand('visualize')} RUN_DIR [RUN_DIR ...]")
        return 0 if set(arguments) & {"-h", "--help"} else USAGE_EXIT_CODE
    data_dir = os.environ.get("DDRSA_DATA_DIR", "data")
    cache_dir = os.environ.get("DDRSA_CACHE_DIR") or platformdirs.user_cache_dir("ddrsa")
    for path in arguments:
        written = visualize_run(TrainingDirectory(path), data_dir=data_dir, cache_dir=cache_dir)
        say(f"{Path(path) / PLOTS}: {count_of(len(written), 'file')}")
    return 0
