"""The base class of the DDRSA models."""

from __future__ import annotations

from torch import nn


class DDRSAModel(nn.Module):
    """Called with windows (B, K, F + 1), returns hazard logits (B, L).

    horizon: L.
    steps_at_once: how many steps of windows and forecasts together (K + L per window) a CPU should work on at once:
        what is kept for the backward pass then stays in reach of its caches, and memory does not grow with the batch
        size. A larger batch is done in parts.
    """

    horizon: int
    steps_at_once: int

    def windows_at_once(self, lookback: int) -> int:
        """The number of windows of `lookback` rows that a CPU should work on at once, at least 1."""
        return max(1, self.steps_at_once // (lookback + self.horizon))
