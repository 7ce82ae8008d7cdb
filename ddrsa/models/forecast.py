"""Forecasts of many windows."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ddrsa.models.base import DDRSAModel

# Windows at a time on a GPU where no gradient is kept.
GPU_BATCH_SIZE = 2048


@torch.no_grad()
def forecast(model: DDRSAModel, batches: Iterable[Tensor]) -> Tensor:
    """Hazard logits (N, L) of all windows of `batches`, each (B, K, F + 1), without dropout and without gradients."""
    was_training = model.training
    model.eval()
    try:
        return torch.cat([model(windows) for windows in batches])
    finally:
        model.train(was_training)


def forecast_batch_size(model: DDRSAModel, lookback: int, device: torch.device) -> int:
    """The number of windows of `lookback` rows to forecast at a time."""
    return model.windows_at_once(lookback) if device.type == "cpu" else GPU_BATCH_SIZE
