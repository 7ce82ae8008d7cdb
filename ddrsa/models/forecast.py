"""Forecasts of many windows."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def forecast(model: nn.Module, batches: Iterable[Tensor]) -> Tensor:
    """Hazard logits (N, L) of all windows of `batches`, each (B, K, F + 1), without dropout and without gradients."""
    was_training = model.training
    model.eval()
    try:
        return torch.cat([model(windows) for windows in batches])
    finally:
        model.train(was_training)
