"""Hyperparameters of the training loop, with their checks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ddrsa.checks import require

SCHEDULES = ("constant", "cosine", "plateau")


@dataclass(frozen=True)
class TrainingOptions:
    """The top-level config keys of the same names; times are in epochs.

    learning_rate: the highest, after the warm-up.
    lambda_param: in [0, 1], the weight of the time of the event against whether there is one.
    nasa_weight: the weight of NASA's asymmetric penalty; 0 for none.
    patience: epochs without a better validation loss after which training ends; 0 trains all epochs.
    weight_decay: decoupled from the gradient (AdamW).
    grad_clip: the largest norm of the gradient; 0 does not clip.
    schedule: constant, cosine (decay to 1 % at the last epoch) or plateau (halves when the validation loss stays).
    warmup_epochs: the learning rate rises linearly from 1 % over these first epochs.

    Raises ConfigError for a value out of range.
    """

    batch_size: int
    learning_rate: float
    lambda_param: float
    nasa_weight: float
    num_epochs: int
    patience: int
    weight_decay: float
    grad_clip: float
    schedule: str
    warmup_epochs: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("batch_size", "num_epochs"):
            self._require(name, getattr(self, name) >= 1, "1 or more")
        for name in ("nasa_weight", "patience", "weight_decay", "grad_clip", "warmup_epochs"):
            self._require(name, 0 <= getattr(self, name) < math.inf, "0 or more")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "above 0")
        self._require("lambda_param", 0 <= self.lambda_param <= 1, "0 to 1")
        self._require("seed", 0 <= self.seed < 2**32, "0 to 4294967295")
        self._require("schedule", self.schedule in SCHEDULES, ", ".join(SCHEDULES))

    def _require(self, name: str, holds: bool, allowed: str) -> None:
        require(name, getattr(self, name), holds, allowed)


OPTION_NAMES = tuple(field.name for field in fields(TrainingOptions))
