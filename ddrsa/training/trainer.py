"""The training loop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from ddrsa.data.segments import draw_segments
from ddrsa.data.windows import Windows
from ddrsa.models.base import DDRSAModel
from ddrsa.models.forecast import forecast_windows
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import Calibration
from ddrsa.survival.losses import event_inside, negative_log_likelihood, ranking_loss, training_loss
from ddrsa.survival.precision import to_float64
from ddrsa.training.calibrate import calibrate
from ddrsa.training.checkpoint import load_checkpoint, random_state, save_checkpoint, set_random_state
from ddrsa.training.epoch_log import EpochLog, EpochRecord
from ddrsa.training.optimizer import AdamW
from ddrsa.training.options import TrainingOptions
from ddrsa.training.progress import Progress
from ddrsa.training.resuming import last_checkpoint, save_last
from ddrsa.training.schedule import Schedule

log = logging.getLogger(__name__)

# How many times as many windows a CPU works on at once where they are in segments.
WINDOWS_OF_SEGMENTS = 4


class TrainingDivergedError(Exception):
    """A loss that is not a finite number."""


def train(
    model: DDRSAModel,
    training: Windows,
    validation: Windows,
    options: TrainingOptions,
    run: TrainingDirectory,
    describe: Mapping[str, Any],
    on_epoch: Callable[[EpochRecord], bool],
    likelihood: Callable[[Tensor], float] | None = None,
) -> Progress:
    """Train `model` in place; afterwards it holds the weights with the lowest validation loss.

    Goes on from the last checkpoint in `run` that is whole, where there is one, and ends, on a CPU, with the same
    numbers bit for bit as a training that was never interrupted.

    Args:
        model: freshly initialised, on the device of the windows.
        training, validation: windows of different units.
        run: where checkpoints and the log of the epochs go.
        describe: plain values that every checkpoint carries (config, scaling, features).
        on_epoch: called after each epoch, when its checkpoint is on disk; True ends the training there.
        likelihood: from the calibrated hazard logits of the validation windows to their mean negative log-likelihood;
            None for that of all windows, up to the `evaluation_horizon`.

    Raises:
        TrainingDivergedError: a loss was not finite; the checkpoints of the last good epoch stay.
    """
    if model.windows_per_segment > 1 and not model.reads_rows(training.lookback):
        log.warning(
            "model.windows_per_segment=%d: windows of lookback=%d share no work in this model, so each is drawn on its "
            "own, as with null (docs/models.md says which lookbacks do)",
            model.windows_per_segment,
            training.lookback,
        )
    optimizer = AdamW(model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay, fused=True)
    steps_per_epoch = math.ceil(len(training) / options.batch_size)
    warmup_steps = round(options.warmup_epochs * steps_per_epoch)
    total_steps = options.num_epochs * steps_per_epoch
    schedule = Schedule(optimizer, options.schedule, warmup_steps, total_steps, options.patience)
    progress = Progress()

    last = last_checkpoint(run)
    if last is not None:
        model.load_state_dict(last["model"])
        optimizer.load_state_dict(last["optimizer"])
        schedule.load_state_dict(last["schedule"])
        set_random_state(last["random_state"])
        progress = Progress(**last["progress"])
        log.info("goes on after epoch %d of %d", progress.epoch, options.num_epochs)

    epoch_log = EpochLog(run.training_log, progress.epoch)
    while progress.epoch < options.num_epochs and not _out_of_patience(progress, options.patience):
        start = time.perf_counter()
        progress.epoch += 1
        train_loss = train_epoch(model, training, options, optimizer, schedule, progress.epoch)
        validation_loss, validation_nll, calibration = _judge(model, validation, options, likelihood)
        if not math.isfinite(validation_loss):
            raise TrainingDivergedError(
                f"the validation loss is {validation_loss} after epoch {progress.epoch} ({_in_short(options)})"
            )
        schedule.end_epoch(validation_loss)
        seconds = time.perf_counter() - start
        record = progress.end_epoch(train_loss, validation_loss, validation_nll, schedule.learning_rate, seconds)
        epoch_log.append(record)
        # The best before the last: a process that dies between the two repeats this epoch and writes the same again.
        weights = progress.checkpoint(model, calibration, describe)
        if progress.has_improved:
            save_checkpoint(run.checkpoint_best, weights)
        save_last(
            run,
            weights,
            {
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "random_state": random_state(),
            },
        )
        if on_epoch(record):
            break

    model.load_state_dict(load_checkpoint(run.checkpoint_best)["model"])
    return progress


def train_epoch(
    model: DDRSAModel,
    training: Windows,
    options: TrainingOptions,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    epoch: int,
) -> float:
    """One pass over the windows; the mean loss per window."""
    model.train()
    # The order of an epoch depends on the seed and the epoch alone, so that a resumed training sees the same batches.
    generator = torch.Generator().manual_seed(options.seed * 1_000_003 + epoch)
    losses: list[Tensor] = []
    counts: list[int] = []
    for index, segment in _batches(model, training, options, generator):
        optimizer.zero_grad()
        loss = _add_gradient(model, training, index, segment, options)
        if options.grad_clip > 0:
            # MPS has no kernels for all parameters at once.
            clip_grad_norm_(model.parameters(), options.grad_clip, foreach=None if loss.device.type == "mps" else True)
        optimizer.step()
        schedule.step()
        # Read only after the epoch: asking a GPU for each number would make it wait.
        losses.append(loss)
        counts.append(len(index))
    per_step = to_float64(torch.stack(losses)).cpu()
    if not per_step.isfinite().all():
        step = int((~per_step.isfinite()).nonzero()[0]) + 1
        raise TrainingDivergedError(
            f"the training loss is {float(per_step[step - 1])} in epoch {epoch}, step {step} of {len(losses)} "
            f"({_in_short(options)})"
        )
    weights = torch.tensor(counts, dtype=torch.float64)
    return float((per_step * weights).sum() / weights.sum())


def _batches(
    model: DDRSAModel, training: Windows, options: TrainingOptions, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The windows of each batch, (B,), and the number of the segment that each belongs to, None without segments."""
    if model.windows_per_segment > 1 and model.reads_rows(training.lookback):
        segments = draw_segments(training.rows_before, model.windows_per_segment, model.segment_stride, generator)
        yield from zip(*(part.split(options.batch_size) for part in segments), strict=True)
    else:
        for index in training.order(generator).split(options.batch_size):
            yield index, None


def _add_gradient(
    model: DDRSAModel, training: Windows, index: Tensor, segment: Tensor | None, options: TrainingOptions
) -> Tensor:
    """The loss of the batch `index`, (); its gradient is added to that of the parameters. A CPU works in parts."""
    num_events = None
    if options.nasa_weight > 0:
        num_events = event_inside(training.time_to_event[index], training.event_observed[index], model.horizon).sum()
    loss = torch.zeros((), device=index.device)
    # The ranking loss is one of pairs: the whole batch must be there at once.
    whole = index.device.type != "cpu" or options.ranking_weight > 0
    # Windows that share their work need less room.
    at_once = model.windows_at_once(training.lookback) * (1 if segment is None else WINDOWS_OF_SEGMENTS)
    num_parts = 1 if whole else math.ceil(len(index) / at_once)
    segments = [None] * num_parts if segment is None else segment.chunk(num_parts)
    for part, segment_of_part in zip(index.chunk(num_parts), segments, strict=True):
        time_to_event, event_observed = training.time_to_event[part], training.event_observed[part]
        if segment_of_part is None:
            logits = model(training.gather(part).windows)
        else:
            ends = training.ends(part)
            logits = model.in_segments(training.table, *ends, segment_of_part, training.lookback)
        loss_of_part = training_loss(
            logits,
            time_to_event,
            event_observed,
            options.lambda_param,
            options.nasa_weight,
            num_windows=len(index),
            num_events=num_events,
            loss_name=options.loss,
        )
        if options.ranking_weight > 0:
            loss_of_part = loss_of_part + options.ranking_weight * ranking_loss(logits, time_to_event, event_observed)
        loss_of_part.backward()
        loss += loss_of_part.detach()
    return loss


def _judge(
    model: DDRSAModel, split: Windows, options: TrainingOptions, likelihood: Callable[[Tensor], float] | None
) -> tuple[float, float, Calibration]:
    """The training loss of the windows, the mean; the negative log-likelihood of their calibrated forecasts; by what.

    The loss is that of the forecasts as the model gives them, without the ranking loss.
    """
    logits = forecast_windows(model, split)
    loss = training_loss(
        logits,
        split.time_to_event,
        split.event_observed,
        options.lambda_param,
        options.nasa_weight,
        num_windows=len(split),
        num_events=event_inside(split.time_to_event, split.event_observed, model.horizon).sum(),
        loss_name=options.loss,
    )
    if not loss.isfinite():
        return float(loss), float(loss), Calibration()
    calibration, calibrated = calibrate(options, logits, split)
    if likelihood is not None:
        return float(loss), likelihood(calibrated), calibration
    nll = negative_log_likelihood(
        calibrated[:, : options.evaluation_horizon], split.time_to_event, split.event_observed
    )
    return float(loss), float(to_float64(nll).mean()), calibration


def _out_of_patience(progress: Progress, patience: int) -> bool:
    return patience > 0 and progress.epoch - progress.best_epoch >= patience


def _in_short(options: TrainingOptions) -> str:
    return ", ".join(f"{name}={value}" for name, value in asdict(options).items())
