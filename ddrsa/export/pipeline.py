"""All that lies between the rows of a unit and its forecast, as one module of torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddrsa.data.cmapss.text_format import SETTINGS
from ddrsa.data.conditions import SETTING_UNITS
from ddrsa.data.scaling import Scaler
from ddrsa.survival.hazard import restricted_mean, survival
from ddrsa.trained import TrainedRun

INPUTS = ("features", "mask")
# Of a model that reads the age of a unit.
AGE = "age"
OUTPUTS = ("hazards", "survival", "rul")


class Pipeline(nn.Module):
    """Scaling, model, calibration and what is read from the hazards.

    Called with features (B, K, F) float64, as the data have them, in the order of the scaler's `feature_names`; and
    mask (B, K) bool, True on the unit's rows. The last row is the present; where a unit has fewer than K rows, the
    rows before its first are masked, and what stands there is not looked at. A model that reads the age of a unit
    is called with that of the last row too: age (B,) int64, the number of the row within its unit, from 1. Returns
    hazards and survival, (B, L) float32, as `ddrsa.survival.hazard` defines them, and the RUL, (B,) float32, in
    steps.
    """

    def __init__(self, run: TrainedRun) -> None:
        super().__init__()
        scaler = run.scaler
        self.model = run.model
        self.register_buffer("kept", torch.from_numpy(scaler.kept))
        self.register_buffer("offset", torch.from_numpy(scaler.offset))
        self.register_buffer("scale", torch.from_numpy(scaler.scale))
        self.has_conditions = len(scaler.centres) > 0
        if self.has_conditions:
            self.register_buffer("settings", torch.tensor([scaler.feature_names.index(name) for name in SETTINGS]))
            self.register_buffer("centres", torch.from_numpy(scaler.centres / SETTING_UNITS))
            self.register_buffer("setting_units", torch.from_numpy(SETTING_UNITS))

    def forward(self, features: Tensor, mask: Tensor, age: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        offset, scale = self._of_rows(features)
        # The offset is taken off in float64: a large counter has more digits than float32 holds.
        scaled = ((features.index_select(-1, self._buffer("kept")) - offset) / scale).float()
        real = mask[..., None]
        channel = torch.ones_like(mask, dtype=torch.float32)
        if age is not None:
            lookback = mask.shape[1]
            channel = (age[:, None] - torch.arange(lookback - 1, -1, -1, device=mask.device)).float()
        channel = torch.where(mask, channel, 0.0)
        windows = torch.cat([torch.where(real, scaled, 0.0), channel[..., None]], -1)
        logits = self.model(windows)
        return logits.sigmoid(), survival(logits), restricted_mean(logits)

    def _of_rows(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Offset and scale of each row, (B, K, G), by its operating condition; (1, G) where there is but one."""
        offset, scale = self._buffer("offset"), self._buffer("scale")
        if not self.has_conditions:
            return offset, scale
        settings = features.index_select(-1, self._buffer("settings")) / self._buffer("setting_units")
        squared = ((settings[..., None, :] - self._buffer("centres")) ** 2).sum(-1)
        nearest = squared.argmin(-1)
        return offset[nearest], scale[nearest]

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)


def inputs_of(run: TrainedRun) -> tuple[str, ...]:
    """The names of what the run's `Pipeline` is called with."""
    return (*INPUTS, AGE) if run.model.reads_age else INPUTS


def example(run: TrainedRun, scaler: Scaler, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Windows within the range of the training, whole ones and padded ones, as `inputs_of` names them."""
    generator = torch.Generator().manual_seed(seed)
    lookback, names = run.config.lookback, scaler.feature_names
    if run.inputs is not None:
        low, high = torch.from_numpy(run.inputs.minimum), torch.from_numpy(run.inputs.maximum)
    else:
        low, high = torch.zeros(len(names), dtype=torch.float64), torch.ones(len(names), dtype=torch.float64)
        middle, width = torch.from_numpy(scaler.offset.mean(axis=0)), torch.from_numpy(scaler.scale.mean(axis=0))
        low[scaler.kept], high[scaler.kept] = middle - width, middle + width
    share = torch.rand(batch, lookback, len(names), generator=generator, dtype=torch.float64)
    mask = torch.ones(batch, lookback, dtype=torch.bool)
    for number in range(1, batch):
        mask[number, : number * (lookback - 1) // batch] = False
    features = low + share * (high - low)
    if not run.model.reads_age:
        return features, mask
    whole = torch.randint(lookback, 2 * lookback + run.config.horizon, (batch,), generator=generator)
    return features, mask, torch.where(mask.all(1), whole, mask.sum(1))
