"""Layers that the models share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": lambda: nn.ReLU(inplace=True), "gelu": nn.GELU}


class FeatureDropout(nn.Dropout1d):
    """Drop features of (B, T, D), the same ones at every token of a window."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.transpose(1, 2)).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two linear layers with an activation between (relu or gelu), applied to every token."""

    def __init__(self, d_model: int, feedforward_size: int, activation: str) -> None:
        super().__init__(
            nn.Linear(d_model, feedforward_size),
            ACTIVATIONS[activation](),
            nn.Linear(feedforward_size, d_model),
        )


def positions_from_the_end(num_tokens: int, d_model: int, device: torch.device) -> Tensor:
    """Sinusoidal encodings (T, D) of each token's distance from the last one (Vaswani et al., NeurIPS 2017)."""
    distance = torch.arange(num_tokens - 1, -1, -1, dtype=torch.float32, device=device)[:, None]
    frequency = torch.exp(torch.arange(0, d_model, 2, device=device) * (-math.log(10000.0) / d_model))
    angle = distance * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)
