"""One run: config, data, model, training, evaluation, run directory."""

from __future__ import annotations

import contextlib
import logging
import os
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
from torch import Tensor

from ddrsa.changed_data import changed_content
from ddrsa.config import RunConfig, identity, located, parse_config, run_id
from ddrsa.data.inputs import TrainingInputs
from ddrsa.data.load import data_content, data_hash, load_dataset
from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.errors import ConfigError, RunEnded, UsageError
from ddrsa.evaluation.evaluate import evaluate, shortcomings
from ddrsa.evaluation.forecasts import conformal_of, forecast_rows, independent_lives
from ddrsa.evaluation.official import evaluate_official
from ddrsa.evaluation.steps import EvaluationSteps
from ddrsa.models.build import build_model
from ddrsa.models.calibrated import CalibratedModel
from ddrsa.models.kernels.choice import choose_kernel
from ddrsa.models.options import BaselineOptions
from ddrsa.one_blas_thread import one_blas_thread
from ddrsa.rundir.claims import claimed
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.rundir.structure import Fields, check_structure
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import Calibration
from ddrsa.survival.promise import promise_sentence
from ddrsa.sweep.early_end import asked_to_end
from ddrsa.sweep.gpu.lease import release_current
from ddrsa.sweep.process.cores import concurrent_runs, threads_per_run
from ddrsa.sweep.search.objective import metric_value
from ddrsa.sweep.search.report import report, searched_objectives, trial_number
from ddrsa.time_scale import recorded_step, scale_of
from ddrsa.training.allocator import keep_freed_memory
from ddrsa.training.baselines import UNUSED, train_baseline
from ddrsa.training.calibrate import calibrate, described
from ddrsa.training.checkpoint import load_checkpoint
from ddrsa.training.denormals import flushed_denormals
from ddrsa.training.epoch_log import EpochRecord
from ddrsa.training.pruning import Pruning
from ddrsa.training.trainer import train

log = logging.getLogger(__name__)
# Goes to run.log alone: epochs of a sweep's many runs would drown each other on the terminal, and so would tracebacks.
file_log = logging.getLogger(f"{__name__}.file")

_METRICS = Fields({"run_id": str, "validation!": Fields({"nll!": float})})


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
    if _is_complete(directory):
        return _run(config)
    with claimed(directory.path):
        return _run(config)


def _run(config: DictConfig) -> float:
    checked = located(parse_config(config), str(HydraConfig.get().runtime.cwd))
    name = run_id(config)
    directory = TrainingDirectory(HydraConfig.get().runtime.output_dir)
    metrics = _earlier_result(directory, name)
    if metrics is not None:
        log.info("%s is complete already: %s", _shown(directory), _in_short(metrics))
        _warn_of_other_data(directory, checked, metrics)
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
            _begin_anew_with_other_data(directory, known, content)
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
        log.info("%s %s: %s", _shown(directory), state, _in_short(metrics))
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
    log.info("%s %s: %s", _shown(directory), reason, _in_short(metrics))
    raise RunEnded(reason, State.INTERRUPTED)


def require_torch_for(device: str) -> None:
    """Raise ConfigError where this torch is not made for the device. CUDA stays asleep: a lease comes before it."""
    if device == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device=mps: torch finds no GPU of Apple's here; allowed here are auto, cpu and cuda")
    if device == "cuda" and not torch.backends.cuda.is_built():
        raise ConfigError(
            f"device=cuda: torch {torch.__version__} is built without CUDA; allowed here are auto and cpu"
        )


def choose_device(requested: str, gpu_index: int | None) -> torch.device:
    """The torch device of a run: the leased GPU where there is one and `requested` (a value of DEVICES) admits it.

    Apple's GPU is used for `mps` alone: models as small as these may be faster on the CPU.

    Raises ConfigError for cuda and mps without a GPU that torch can use.
    """
    require_torch_for(requested)
    if requested == "mps":
        return torch.device("mps")
    if requested != "cpu" and gpu_index is not None and torch.cuda.is_available():
        device = torch.device("cuda", gpu_index)
        torch.cuda.set_device(device)
        return device
    if requested == "cuda":
        reason = "no GPU was found" if gpu_index is None else "this build of torch cannot use a GPU"
        raise ConfigError(f"device=cuda: {reason}; allowed here are auto and cpu")
    if requested == "auto" and gpu_index is not None:
        log.warning(
            "GPU %d is leased, but torch %s cannot use one: this run is on the CPU", gpu_index, torch.__version__
        )
    return torch.device("cpu")


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
        _shown(directory),
        dataset.training.num_units,
        dataset.validation.num_units,
        dataset.test.num_units,
        dataset.name,
        len(feature_names),
        device,
    )
    single_run = HydraConfig.get().mode == RunMode.RUN
    epochs_log = log if single_run else file_log

    def forecasts_of(units: Sequences) -> Tensor:
        return forecast_rows(model, units, checked.lookback, device)

    validation_windows = Windows(dataset.validation, checked.lookback, device, ages=model.reads_age)

    def evaluate_validation(raw: Tensor, in_use: Calibration | None = None) -> dict[str, Any]:
        """raw: of every row of the validation units. in_use: None while training, for that of the model as it is."""

        def calibrated(logits: Tensor) -> tuple[Tensor, Tensor]:
            found, out_of_fold = calibrate(checked.training, logits, validation_windows)
            return out_of_fold, (found if in_use is None else in_use)(logits)

        return evaluate(
            raw,
            dataset.validation,
            dataset.training,
            checked.evaluation_horizon,
            calibrate=calibrated,
            policy=checked.policy,
            by_subset=dataset.by_subset,
            steps=checked.measured_steps,
        )

    # Pruning looks at one objective: of a search for several nothing is reported.
    objectives = [] if trial_number() is None else searched_objectives()
    pruning = Pruning(
        report if len(objectives) == 1 else None,
        objectives[0] if objectives else None,
        partial(metric_value, group="validation"),
        lambda: evaluate_validation(forecasts_of(dataset.validation)),
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
            model, checked.model, training, validation_windows, checked.training, directory, describe, on_epoch,
            likelihood,
        )  # fmt: skip
    else:
        progress = train(
            model, training, validation_windows, checked.training, directory, describe, on_epoch, likelihood
        )
    start = time.perf_counter()
    # As training left it in the checkpoint: what is reported here is what that file forecasts.
    calibration = Calibration.from_dict(load_checkpoint(directory.checkpoint_best)["calibration"])
    calibrated = CalibratedModel(model, calibration)
    epochs_log.info("%s: %s", _shown(directory), described(checked.training, calibration))
    raw = forecasts_of(dataset.validation)
    validation = evaluate_validation(raw, calibration)
    held_out = None
    if dataset.policy is not None:
        held_out = independent_lives(calibration(forecasts_of(dataset.policy)), dataset.policy)
        conformal = conformal_of(held_out, "policy")
    else:
        known = independent_lives(calibration(raw), dataset.validation)
        conformal = conformal_of(known, "validation")
    if conformal is not None and conformal.caveat is not None:
        file_log.info("%s: %s", _shown(directory), conformal.caveat)
    metrics = evaluate(
        forecasts_of(dataset.test),
        dataset.test,
        dataset.training,
        checked.evaluation_horizon,
        tuned_on=validation,
        calibrate=lambda logits: (calibration(logits),) * 2,
        policy=checked.policy,
        held_out=held_out,
        conformal=conformal,
        by_subset=dataset.by_subset,
        steps=checked.measured_steps,
    )
    metrics["calibration"] |= calibration.to_dict()
    if checked.policy.guarantee is not None:
        _tell_promises(metrics["policies"], checked, dataset.inputs)
        log.info("%s: %s", _shown(directory), metrics["policies"]["oti"]["promise"]["sentence"])
    if dataset.official is not None:
        for name, units in {"": dataset.official, **dataset.by_subset(dataset.official)}.items():
            official = evaluate_official(calibrated, units, checked.lookback, device)
            place = metrics["by_subset"][name] if name else metrics
            place["confidence_intervals"] |= official.pop("intervals")
            place |= official
    metrics |= {
        "comparison": {
            "horizon": checked.evaluation_horizon,
            "time_unit": checked.dataset.measured_unit,
            "data": read_from,
        },
        "measure": {"steps": checked.measured_steps or 1},
        "time_step": recorded_step(dataset.inputs, checked.dataset, checked.measured_steps or 1),
        "validation": validation,
        "training_time_seconds": round(progress.seconds, 3),
        "epochs_run": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_validation_loss": progress.best_validation_loss,
        "n_parameters": model.num_parameters,
    }
    for shortcoming in shortcomings(metrics):
        log.warning("%s: %s", _shown(directory), shortcoming)
    file_log.info("evaluated in %.1f s", time.perf_counter() - start)
    return metrics, pruning.pruned, asked[0] if asked else None


def _tell_promises(policies: dict[str, Any], checked: RunConfig, inputs: TrainingInputs) -> None:
    """Tell what the promises of policies give up in the data's unit of time."""
    scale = scale_of(recorded_step(inputs, checked.dataset), checked.horizon)
    assert checked.policy.guarantee is not None
    for name, policy in policies.items():
        if "promise" in policy:
            policy["promise"]["sentence"] = promise_sentence(
                name, policy["promise"], checked.policy.guarantee, scale.text
            )


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's random generators, on all devices."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries use the global generator)
    torch.manual_seed(seed)


def _earlier_result(directory: TrainingDirectory, name: str) -> dict[str, Any] | None:
    """The metrics of this run where it has completed. Raises ConfigError where another run lies in its directory."""
    status = directory.status_or_empty(warn=True)
    directory.check_owner(name, status)
    try:
        metrics = directory.read_test_metrics()
        if metrics is None and State.of(status) is State.COMPLETED:
            log.warning("%s is missing; the run is evaluated again, from its checkpoint", directory.test_metrics)
        # What a search has pruned goes on from its checkpoint: here it is wanted in full, or by another trial.
        if metrics is None or metrics.get("pruned"):
            return None
        check_structure(metrics, _METRICS, directory.test_metrics)
    except ValueError as error:
        log.warning("%s; the run is evaluated again, from its checkpoint", error)
        return None
    directory.check_owner(name, metrics)
    if not status:
        # The result has outlived its status, which was damaged.
        directory.begin(name)
        directory.end(State.COMPLETED, return_value=float(metrics["validation"]["nll"]))
    return metrics


def _warn_of_other_data(directory: TrainingDirectory, checked: RunConfig, metrics: dict[str, Any]) -> None:
    """Say that the files of the data are not those that a completed run was trained on."""
    try:
        changed = changed_content(metrics.get("data_content"), checked.dataset, checked.data_dir)
    except UsageError as error:
        log.warning("%s: its data cannot be compared with those that are there now: %s", _shown(directory), error)
        return
    if changed is not None:
        log.warning(
            "%s was trained on other data: content %s, and that of %s is now %s; with another hydra.sweep.dir, or when "
            "that directory is gone, the model is trained anew", _shown(directory), metrics["data_content"], *changed,
        )  # fmt: skip


def _begin_anew_with_other_data(directory: TrainingDirectory, known: str | None, content: str | None) -> None:
    """A run that was interrupted does not go on with other data than those, `known`, that it began with."""
    trained = (
        *(directory.checkpoint_last, directory.checkpoint_previous, directory.checkpoint_best),
        directory.training_log,
    )
    if known not in (None, content) and any(path.exists() for path in trained):
        log.warning("%s began with other data: content %s, now %s; it begins anew", _shown(directory), known, content)
        for path in trained:
            path.unlink(missing_ok=True)


def _is_complete(directory: TrainingDirectory) -> bool:
    """Whether there is nothing to do, and nothing to mend."""
    try:
        metrics = directory.read_test_metrics()
        return bool(directory.status_or_empty()) and metrics is not None and not metrics.get("pruned")
    except ValueError:
        return False


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


def _shown(directory: TrainingDirectory) -> str:
    return os.path.relpath(directory.path)


def _in_short(metrics: dict[str, Any]) -> str:
    shown = {"MAE": "rul_mae", "RMSE": "rul_rmse", "concordance": "concordance_index"}
    values = ((label, metrics[key]) for label, key in shown.items())
    return ", ".join(f"{label} {'none' if value is None else format(value, '.3f')}" for label, value in values)
