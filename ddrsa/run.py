"""One run: config, data, model, training, evaluation, run directory."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from dataclasses import asdict
from functools import partial
from typing import Any, NoReturn

import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ddrsa.config import RunConfig, identity, located, parse_config, run_id
from ddrsa.data.load import data_content, data_hash, load_dataset
from ddrsa.data.windows import Windows
from ddrsa.earlier_result import begin_anew_with_other_data, earlier_result, is_complete, warn_of_other_data
from ddrsa.errors import RunEnded, UsageError
from ddrsa.evaluation.evaluate import shortcomings
from ddrsa.evaluation.steps import EvaluationSteps
from ddrsa.models.build import build_model
from ddrsa.models.kernels.choice import choose_kernel
from ddrsa.models.options import BaselineOptions
from ddrsa.one_blas_thread import one_blas_thread
from ddrsa.run_metrics import RunMetrics
from ddrsa.rundir.claims import claimed
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import Calibration
from ddrsa.sweep.early_end import asked_to_end
from ddrsa.sweep.gpu.lease import release_current
from ddrsa.sweep.process.cores import concurrent_runs, threads_per_run
from ddrsa.sweep.search.objective import metric_value
from ddrsa.sweep.search.report import report, searched_objectives, trial_number
from ddrsa.torch_device import choose_device
from ddrsa.training.allocator import keep_freed_memory
from ddrsa.training.baselines import UNUSED, train_baseline
from ddrsa.training.calibrate import described
from ddrsa.training.checkpoint import load_checkpoint
from ddrsa.training.denormals import flushed_denormals
from ddrsa.training.epoch_log import EpochRecord
from ddrsa.training.pruning import Pruning
from ddrsa.training.trainer import train

log = logging.getLogger(__name__)
# Goes to run.log alone: epochs of a sweep's many runs would drown each other on the terminal, and so would tracebacks.
file_log = logging.getLogger(f"{__name__}.file")


def run(config: DictConfig) -> float:
    """Do the run that `config` describes in Hydra's output directory, or what is left of it.

    A completed run is not done again; a run that was interrupted goes on from its last checkpoint.

    Returns:
        the negative log-likelihood of the validation windows, which can be compared between runs that were trained
        with other weights of the loss.

    Raises:
        UsageError: the config or the data cannot be used, or another process is at the run.
        TrainingDivergedError: a loss was not finite.
        optuna.TrialPruned: the search that this run is a trial of wanted its end; its metrics are those so far.
    """
    directory = TrainingDirectory(HydraConfig.get().runtime.output_dir)
    if is_complete(directory):
        return _run(config)
    with claimed(directory.path):
        return _run(config)


def _run(config: DictConfig) -> float:
    checked = located(parse_config(config), str(HydraConfig.get().runtime.cwd))
    name = run_id(config)
    directory = TrainingDirectory(HydraConfig.get().runtime.output_dir)
    metrics = earlier_result(directory, name)
    if metrics is not None:
        log.info("%s is complete already: %s", directory.shown, _in_short(metrics))
        warn_of_other_data(directory, checked, metrics)
        if config.visualize:
            _draw(directory, checked, torch.device("cpu"))
        return float(metrics["validation"]["nll"])
    known = directory.status_or_empty(name).get("data_content")
    try:
        trial = trial_number()
        of_search = {} if trial is None else {"trial": trial}
        directory.begin(name, num_epochs=checked.training.num_epochs, **of_search)
        try:
            gpu_index: int | None = config.gpu_index
            device = choose_device(checked.device, gpu_index)
            threads = threads_per_run(concurrent_runs(HydraConfig.get()))
            torch.set_num_threads(threads)
            choose_kernel(config.kernel)
            content = data_content(checked.dataset, checked.data_dir)
            begin_anew_with_other_data(directory, known, content)
            directory.update(device=str(device), gpu_index=gpu_index, cpu_threads=threads, data_content=content)
            with flushed_denormals(), one_blas_thread():
                metrics, pruned, asked = _train_and_evaluate(checked, identity(config), directory, device)
        except BaseException as error:
            _record_failure(directory, error)
            raise
        if asked is not None:
            _end_early(directory, {"run_id": name, "data_content": content, **metrics}, checked, asked)
        pruned_too = {"pruned": True} if pruned else {}
        directory.write_test_metrics({"run_id": name, "data_content": content, **metrics, **pruned_too})
        directory.early_metrics.unlink(missing_ok=True)
        objective = float(metrics["validation"]["nll"])
        state = State.PRUNED if pruned else State.COMPLETED
        directory.end(state, return_value=objective)
        if not pruned:
            directory.checkpoint_previous.unlink(missing_ok=True)
        log.info("%s %s: %s", directory.shown, state, _in_short(metrics))
        if config.visualize:
            _draw(directory, checked, device)
        if pruned:
            from optuna import TrialPruned  # a run that is no trial does without Optuna

            raise TrialPruned(f"after epoch {metrics['epochs_run']}")
        return objective
    finally:
        release_current()


def _end_early(directory: TrainingDirectory, metrics: dict[str, Any], checked: RunConfig, why: str) -> NoReturn:
    """End a run that its sweep has no more time for. What it has is no result, and lies in a file of its own."""
    epochs = f"epoch {metrics['epochs_run']} of {checked.training.num_epochs}"
    ended_early = {"epochs": metrics["epochs_run"], "of": checked.training.num_epochs, "reason": why}
    write_json(directory.early_metrics, {"ended_early": ended_early, **metrics})
    reason = f"ended early, after {epochs}: {why}; {directory.early_metrics.name} has what it can do so far"
    directory.end(State.INTERRUPTED, reason, epoch=metrics["epochs_run"])
    log.info("%s %s: %s", directory.shown, reason, _in_short(metrics))
    raise RunEnded(reason, State.INTERRUPTED)


def _train_and_evaluate(
    checked: RunConfig, config: dict[str, Any], directory: TrainingDirectory, device: torch.device
) -> tuple[dict[str, Any], bool, str | None]:
    """The metrics, whether the search has pruned the run, and why it was asked to end before all its epochs."""
    keep_freed_memory()
    dataset = load_dataset(
        asdict(checked.dataset),
        data_dir=checked.data_dir,
        cache_dir=checked.cache_dir,
        seed=checked.training.seed,
        num_folds=checked.num_folds,
        fold=checked.fold,
    )
    read_from = data_hash(checked.dataset, data_dir=checked.data_dir)
    seed_everything(checked.training.seed)
    feature_names = dataset.training.feature_names
    model = build_model(
        checked.model,
        num_features=len(feature_names),
        lookback=checked.lookback,
        horizon=checked.horizon,
        dropout=checked.dropout,
    ).to(device)
    log.info(
        "%s: %d training, %d validation, %d test units of %s, %d features, on %s",
        directory.shown,
        dataset.training.num_units,
        dataset.validation.num_units,
        dataset.test.num_units,
        dataset.name,
        len(feature_names),
        device,
    )
    single_run = HydraConfig.get().mode == RunMode.RUN
    epochs_log = log if single_run else file_log

    measured = RunMetrics(checked, dataset, read_from, model, device, directory.shown)
    # Pruning looks at one objective: of a search for several nothing is reported.
    objectives = [] if trial_number() is None else searched_objectives()
    pruning = Pruning(
        report if len(objectives) == 1 else None,
        objectives[0] if objectives else None,
        partial(metric_value, group="validation"),
        measured.while_training,
        checked.training.num_epochs,
    )

    asked: list[str] = []
    trains_epochs = not isinstance(checked.model, BaselineOptions)
    if trains_epochs:
        asked_to_end()  # so that the launcher knows from the start that this run can be asked

    def on_epoch(record: EpochRecord) -> bool:
        directory.update(
            epoch=record.epoch,
            validation_loss=record.validation_loss,
            best_validation_loss=record.best_validation_loss,
        )
        epochs_log.info(
            "epoch %d of %d: training loss %.4f, validation loss %.4f (best %.4f), %.1f s",
            record.epoch,
            checked.training.num_epochs,
            record.train_loss,
            record.validation_loss,
            record.best_validation_loss,
            record.seconds,
        )
        wants_end = pruning.wants_end(record)
        if (
            not wants_end
            and trains_epochs
            and record.epoch < checked.training.num_epochs
            and (reason := asked_to_end()) is not None
        ):
            asked.append(reason)
        return wants_end or bool(asked)

    training = Windows(dataset.training, checked.lookback, device, ages=model.reads_age)
    describe = {
        "config": config,
        "feature_names": list(feature_names),
        "scaler": dataset.scaler.to_dict(),
        "inputs": dataset.inputs.to_dict(),
    }
    likelihood = None
    if checked.measured_steps is not None:
        likelihood = EvaluationSteps(dataset.validation, checked.measured_steps, checked.evaluation_horizon).likelihood
    if isinstance(checked.model, BaselineOptions):
        log.info("%s has no use for %s", checked.model.name, ", ".join(UNUSED[checked.model.name]))
        progress = train_baseline(
            model,
            checked.model,
            training,
            measured.validation_windows,
            checked.training,
            directory,
            describe,
            on_epoch,
            likelihood,
        )
    else:
        progress = train(
            model, training, measured.validation_windows, checked.training, directory, describe, on_epoch, likelihood
        )
    start = time.perf_counter()
    # As training left it in the checkpoint: what is reported here is what that file forecasts.
    calibration = Calibration.from_dict(load_checkpoint(directory.checkpoint_best)["calibration"])
    epochs_log.info("%s: %s", directory.shown, described(checked.training, calibration))
    metrics = measured.of_trained(calibration) | {
        "training_time_seconds": round(progress.seconds, 3),
        "epochs_run": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_validation_loss": progress.best_validation_loss,
        "n_parameters": model.num_parameters,
    }
    for shortcoming in shortcomings(metrics):
        log.warning("%s: %s", directory.shown, shortcoming)
    file_log.info("evaluated in %.1f s", time.perf_counter() - start)
    return metrics, pruning.pruned, asked[0] if asked else None


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's random generators, on all devices."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries use the global generator)
    torch.manual_seed(seed)


def _record_failure(directory: TrainingDirectory, error: BaseException) -> None:
    if isinstance(error, UsageError):
        file_log.error("%s", error)
    else:
        file_log.error("the run ends here", exc_info=error)
    interrupted = isinstance(error, KeyboardInterrupt)
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    with contextlib.suppress(OSError):  # on a full disk the launcher does it, and what it tells is the first reason
        directory.end(State.INTERRUPTED if interrupted else "failed", reason)


def _draw(directory: TrainingDirectory, checked: RunConfig, device: torch.device) -> None:
    # Here, because matplotlib takes as long to import as an epoch to train.
    from ddrsa.visualize import visualize_if_possible

    visualize_if_possible(directory, checked.data_dir, checked.cache_dir, device, file_log)


def _in_short(metrics: dict[str, Any]) -> str:
    shown = {"MAE": "rul_mae", "RMSE": "rul_rmse", "concordance": "concordance_index"}
    values = ((label, metrics[key]) for label, key in shown.items())
    return ", ".join(f"{label} {'none' if value is None else format(value, '.3f')}" for label, value in values)
