"""The progress of a training, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ddrsa.models.base import DDRSAModel
from ddrsa.survival.calibration.correction import Calibration
from ddrsa.training.epoch_log import EpochRecord


@dataclass
class Progress:
    """The progress of a training. best_epoch 0: none yet. seconds: wall clock of all attempts together."""

    epoch: int = 0
    best_epoch: int = 0
    best_validation_loss: float = math.inf
    seconds: float = 0.0

    @property
    def has_improved(self) -> bool:
        """Whether the last epoch is the best."""
        return self.best_epoch == self.epoch

    def end_epoch(
        self, train_loss: float, validation_loss: float, validation_nll: float, learning_rate: float, seconds: float
    ) -> EpochRecord:
        """Count the epoch `epoch`, which has ended, and return its record."""
        if validation_loss < self.best_validation_loss:
            self.best_epoch, self.best_validation_loss = self.epoch, validation_loss
        self.seconds += seconds
        return EpochRecord(
            epoch=self.epoch,
            train_loss=train_loss,
            validation_loss=validation_loss,
            validation_nll=validation_nll,
            best_validation_loss=self.best_validation_loss,
            learning_rate=learning_rate,
            seconds=round(seconds, 4),
        )

    def checkpoint(self, model: DDRSAModel, calibration: Calibration, describe: Mapping[str, Any]) -> dict[str, Any]:
        """The content of a checkpoint of now. describe: what a reader needs to rebuild the model."""
        return {
            "model": model.state_dict(),
            "calibration": calibration.to_dict(),
            "progress": asdict(self),
            **describe,
        }
