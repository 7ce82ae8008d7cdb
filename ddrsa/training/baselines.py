"""The fitting of the baselines, with the files of any training: the log of the epochs and the checkpoints."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddrsa.data.windows import Windows
from ddrsa.models.base import DDRSAModel
from ddrsa.models.boosting import BoostedDDRSA
from ddrsa.models.forecast import forecast_windows
from ddrsa.models.kaplan_meier import KaplanMeierDDRSA
from ddrsa.models.options import BaselineOptions, BoostingOptions
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.survival.precision import to_float64
from ddrsa.training.boosting import boost
from ddrsa.training.calibrate import calibrate
from ddrsa.training.checkpoint import load_checkpoint, save_checkpoint
from ddrsa.training.epoch_log import EpochLog, EpochRecord
from ddrsa.training.options import TrainingOptions
from ddrsa.training.progress import Progress

log = logging.getLogger(__name__)

# The widths of the kernel of Kaplan and Meier's estimate that are tried, in rows: one an epoch.
BANDWIDTHS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)
OF_NETWORKS = (
    *("batch_size", "learning_rate", "loss", "lambda_param", "nasa_weight", "ranking_weight", "dropout"),
    *("weight_decay", "grad_clip", "schedule", "warmup_epochs"),
)
# The keys that mean nothing to the baselines, except that a seed splits the units.
UNUSED = {
    "kaplan_meier": (*OF_NETWORKS, "lookback", "patience", "seed"),
    "boosting": (*OF_NETWORKS, "seed"),
}


def train_baseline(
    model: DDRSAModel,
    model_options: BaselineOptions,
    training: Windows,
    validation: Windows,
    options: TrainingOptions,
    run: TrainingDirectory,
    describe: Mapping[str, Any],
    on_epoch: Callable[[EpochRecord], bool],
    likelihood: Callable[[Tensor], float] | None = None,
) -> Progress:
    """Fit `model` in place by the likelihood; afterwards it is that of the epoch with the lowest one on validation.

    Arguments as of `train`, windows with ages. An epoch is a width of the kernel, or some trees. A fit that was
    interrupted is done again up to where it was, which gives the same model: nothing of it is random.
    """
    progress = Progress()
    if run.checkpoint_last.exists():
        progress = Progress(**load_checkpoint(run.checkpoint_last)["progress"])
        log.info("goes on after epoch %d, which is fitted again", progress.epoch)
    epoch_log = EpochLog(run.training_log, progress.epoch)
    patience = options.patience if isinstance(model, BoostedDDRSA) else 0
    start = time.perf_counter()
    fits = _fits(model, model_options, training, validation, options.num_epochs)
    for epoch, (train_loss, logits) in enumerate(fits, start=1):
        if epoch <= progress.epoch:
            continue
        if patience and progress.epoch - progress.best_epoch >= patience:
            break
        known = (validation.time_to_event, validation.event_observed)
        loss = _mean_loss(logits, *known)
        calibration, calibrated = calibrate(options, logits, validation)
        progress.epoch = epoch
        if likelihood is None:
            nll = _mean_loss(calibrated[:, : options.evaluation_horizon], *known)
        else:
            nll = likelihood(calibrated)
        seconds, start = time.perf_counter() - start, time.perf_counter()
        learning_rate = model_options.shrinkage if isinstance(model_options, BoostingOptions) else 0.0
        record = progress.end_epoch(train_loss, loss, nll, learning_rate, seconds)
        epoch_log.append(record)
        content = progress.checkpoint(model, calibration, describe)
        if progress.has_improved:
            save_checkpoint(run.checkpoint_best, content)
        save_checkpoint(run.checkpoint_last, content)
        if on_epoch(record):
            break
    model.load_state_dict(load_checkpoint(run.checkpoint_best)["model"])
    return progress


def _forecast(model: DDRSAModel, split: Windows) -> Tensor:
    return forecast_windows(model, split)


def _mean_loss(logits: Tensor, time_to_event: Tensor, event_observed: Tensor) -> float:
    return float(to_float64(negative_log_likelihood(logits, time_to_event, event_observed)).mean())


def _fits(
    model: DDRSAModel, model_options: BaselineOptions, training: Windows, validation: Windows, num_epochs: int
) -> Iterator[tuple[float, Tensor]]:
    """Fit the model a step further for each item: the mean loss in training, the logits of the validation windows."""
    if isinstance(model, KaplanMeierDDRSA):
        last_age, failed = _lives(training)
        for bandwidth in BANDWIDTHS[:num_epochs]:
            model.fit(last_age, failed, bandwidth)
            known = (training.time_to_event, training.event_observed)
            yield _mean_loss(_forecast(model, training), *known), _forecast(model, validation)
    else:
        assert isinstance(model, BoostedDDRSA)
        assert isinstance(model_options, BoostingOptions)
        yield from boost(model, model_options, training, validation, num_epochs)


def _lives(training: Windows) -> tuple[torch.Tensor, torch.Tensor]:
    """The age of each unit's last row, (U,), and whether it failed there."""
    unit = training.unit.cpu().numpy()
    last = np.append(np.flatnonzero(np.diff(unit)), len(unit) - 1)
    counts = np.diff(np.append(-1, last))
    # A unit that fails after its last row, as those of a test file do, is known to survive it: no failure there.
    here = (training.event_observed & (training.time_to_event == 0)).cpu().numpy()
    return torch.from_numpy(counts.astype(np.int64)), torch.from_numpy(here[last])
