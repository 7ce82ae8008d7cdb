"""Hyperparameters of the training loop, with their checks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from ddrsa.checks import require
from ddrsa.errors import ConfigError
from ddrsa.survival.calibration import METHODS as CALIBRATIONS

LOSSES = ("ddrsa", "likelihood")
SCHEDULES = ("constant", "cosine", "plateau")


@dataclass(frozen=True)
class TrainingOptions:
    """The top-level config keys of the same names; times are in epochs.

    learning_rate: the highest, after the warm-up.
    loss: ddrsa (equation 12 of the paper) or likelihood (of the windows), which has no lambda_param.
    lambda_param: in [0, 1], the weight of the time of the event against whether there is one.
    nasa_weight: the weight of NASA's asymmetric penalty; 0 for none.
    ranking_weight: the weight of DeepHit's ranking loss; 0 for none.
    patience: epochs without a better validation loss after which training ends; 0 trains all epochs.
    weight_decay: decoupled from the gradient (AdamW).
    grad_clip: the largest norm of the gradient; 0 does not clip.
    schedule: constant, cosine (decay to 1 % at the last epoch) or plateau (halves when the validation loss stays).
    warmup_epochs: the learning rate rises linearly from 1 % over these first epochs.
    calibration: of the forecasts of the trained model: none, odds (by theory) or fitted (theory corrected by the
        validation units).
    evaluation_horizon: the steps of the forecast that the likelihood of the validation windows is of; None for all.

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
    loss: str = "ddrsa"
    ranking_weight: float = 0.0
    calibration: str = "fitted"
    evaluation_horizon: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "num_epochs"):
            self._require(name, getattr(self, name) >= 1, "1 or more")
        self._require("patience", self.patience >= 0, "0 or more")
        for name in ("nasa_weight", "ranking_weight", "weight_decay", "grad_clip", "warmup_epochs"):
            self._require(name, 0 <= getattr(self, name) < math.inf, "0 or more, and finite")
        holds = self.evaluation_horizon is None or self.evaluation_horizon >= 1
        self._require("evaluation_horizon", holds, "1 or more, or null")
        self._require("learning_rate", 0 < self.learning_rate < math.inf, "above 0, and finite")
        self._require("lambda_param", 0 <= self.lambda_param <= 1, "0 to 1")
        self._require("seed", 0 <= self.seed < 2**32, "0 to 4294967295")
        self._require("schedule", self.schedule in SCHEDULES, ", ".join(SCHEDULES))
        self._require("loss", self.loss in LOSSES, ", ".join(LOSSES))
        self._require("calibration", self.calibration in CALIBRATIONS, ", ".join(CALIBRATIONS))
        if self.calibration == "odds" and self.loss == "ddrsa" and self.lambda_param == 1:
            raise ConfigError(
                "calibration=odds: with lambda_param=1 the loss says nothing of the odds of an event inside the "
                "horizon; allowed is a lambda_param below 1, or calibration=fitted or none"
            )

    def _require(self, name: str, holds: bool, allowed: str) -> None:
        require(name, getattr(self, name), holds, allowed)


OPTION_NAMES = tuple(field.name for field in fields(TrainingOptions))
