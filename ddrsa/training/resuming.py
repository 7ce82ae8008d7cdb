"""Checkpoints that a training goes on from: the last one, and where that is damaged the one before it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Mapping
from typing import Any

from ddrsa.errors import DataError
from ddrsa.rundir.files import temporary_beside
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.training.checkpoint import load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

# What a training needs to go on, besides the weights that `checkpoint_best` holds as well.
_STATE = ("optimizer", "schedule", "random_state")


def save_last(run: TrainingDirectory, weights: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Replace checkpoint_last.pt by `weights`, what checkpoint_best.pt holds of this epoch, and `state`.

    The one that was there before stays, as checkpoint_previous.pt.
    """
    if run.checkpoint_last.exists():
        beside = temporary_beside(run.checkpoint_previous)
        # Where the file system has no links there is no second checkpoint: the training would begin anew.
        with contextlib.suppress(OSError):
            os.link(run.checkpoint_last, beside, follow_symlinks=False)
            beside.replace(run.checkpoint_previous)
    save_checkpoint(run.checkpoint_last, {**weights, **state})


def last_checkpoint(run: TrainingDirectory) -> dict[str, Any] | None:
    """The newest checkpoint in `run` from which the training can go on to the same end; None where it begins anew.

    What is damaged is said in the log. A damaged checkpoint_best.pt is written again where the checkpoint is that of
    the best epoch; otherwise the weights of that epoch are gone, and have to be trained again.
    """
    damaged = False
    for path in (run.checkpoint_last, run.checkpoint_previous):
        if not path.exists():
            if path == run.checkpoint_last and run.checkpoint_previous.exists():
                log.warning("%s is missing", path)
                damaged = True
            continue
        try:
            checkpoint = load_checkpoint(path)
            _mend_best(run, checkpoint)
        except DataError as error:
            log.warning("%s", error)
            damaged = True
            continue
        if damaged:
            log.warning("the training goes on from %s", path.name)
        return checkpoint
    if damaged:
        log.warning("no checkpoint to go on from is left: the training begins anew")
    return None


def _mend_best(run: TrainingDirectory, checkpoint: dict[str, Any]) -> None:
    """Raises DataError where the weights of the best epoch are in neither checkpoint."""
    progress = checkpoint["progress"]
    try:
        best = load_checkpoint(run.checkpoint_best)["progress"]
        if best["best_epoch"] == progress["best_epoch"] or best["epoch"] > progress["epoch"]:
            return
    except DataError as error:
        if progress["best_epoch"] != progress["epoch"]:
            raise
        log.warning("%s; it is written again", error)
    if progress["best_epoch"] != progress["epoch"]:
        raise DataError(f"{run.checkpoint_best} is not that of the best epoch, {progress['best_epoch']}")
    save_checkpoint(run.checkpoint_best, {key: value for key, value in checkpoint.items() if key not in _STATE})
