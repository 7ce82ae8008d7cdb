"""A model whose forecasts are calibrated."""

from __future__ import annotations

from torch import Tensor

from ddrsa.models.base import DDRSAModel
from ddrsa.survival.calibration.correction import Calibration


class CalibratedModel(DDRSAModel):
    """`model` and its `calibration` as one: called with windows (B, K, F + 1), returns calibrated hazard logits (B, L).

    Whoever forecasts with a trained model holds this one, so that none can leave the calibration out.
    """

    def __init__(self, model: DDRSAModel, calibration: Calibration) -> None:
        super().__init__()
        self.model = model
        self.calibration = calibration
        self.horizon = model.horizon
        self.steps_at_once = model.steps_at_once
        self.reads_age = model.reads_age

    def forward(self, windows: Tensor) -> Tensor:
        return self.calibration(self.model(windows))

    def windows_at_once(self, lookback: int) -> int:
        return self.model.windows_at_once(lookback)

    def reads_rows(self, lookback: int) -> bool:
        return self.model.reads_rows(lookback)

    def at_every_row(self, rows: Tensor, rows_before: Tensor, lookback: int) -> Tensor:
        return self.calibration(self.model.at_every_row(rows, rows_before, lookback))
