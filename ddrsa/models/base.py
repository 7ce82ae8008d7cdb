"""The base class of the DDRSA models."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DDRSAModel(nn.Module):
    """Called with windows (B, K, F + 1), returns hazard logits (B, L).

    horizon: L.
    reads_age: whether the last channel has to hold the age of each row (`Windows(..., ages=True)`).
    windows_per_segment: how many windows of a unit a training draws together, where `in_segments` can compute once what
        they have in common; 1: each on its own.
    segment_stride: how many rows the last row of each of them lies behind that of the one before.
    steps_at_once: how many steps of windows and forecasts together (K + L per window) a CPU should work on at once:
        what is kept for the backward pass then stays in reach of its caches, and memory does not grow with the batch
        size. A larger batch is done in parts.
    """

    horizon: int
    steps_at_once: int
    reads_age: bool = False
    windows_per_segment: int = 1
    segment_stride: int = 1

    @property
    def num_parameters(self) -> int:
        """The numbers that were fitted."""
        return sum(parameter.numel() for parameter in self.parameters())

    def windows_at_once(self, lookback: int) -> int:
        """The number of windows of `lookback` rows that a CPU should work on at once, at least 1."""
        return max(1, self.steps_at_once // (lookback + self.horizon))

    def reads_rows(self, lookback: int) -> bool:  # noqa: ARG002
        """Whether `at_every_row` can give the forecasts of windows of `lookback` rows."""
        return False

    def at_every_row(self, rows: Tensor, rows_before: Tensor, lookback: int) -> Tensor:
        """Hazard logits (N, L) at each of consecutive rows (N, F + 1) of units: those of the windows that end there.

        rows_before: (N,) int64, how many rows of its unit stand before each.
        """
        raise NotImplementedError(f"{type(self).__name__} forecasts windows alone")

    def in_segments(self, table: Tensor, end: Tensor, rows_before: Tensor, segment: Tensor, lookback: int) -> Tensor:
        """Hazard logits (B, L) of windows, in which those of a segment have computed once what they have in common.

        Possible where `reads_rows`. Without dropout they are those of the windows one by one; what a segment computes
        once has one mask of dropout.

        Args:
            table: (R, F + 1) rows of units, with `lookback` - 1 rows of zeros before each unit.
            end: (B,) int64, the windows' last rows in it. rows_before: (B,) int64, how many rows of its unit stand
                before each. segment: (B,) int64, ascending, each of one unit.
        """
        raise NotImplementedError(f"{type(self).__name__} forecasts windows alone")


def ages(windows: Tensor) -> Tensor:
    """(B,) int64: the number of each window's last row within its unit, from 1, of windows with ages.

    Raises ValueError where the last channel does not hold ages (`Windows(..., ages=True)`).
    """
    channel = windows[..., -1]
    last = channel[:, -1]
    if torch.compiler.is_exporting():  # an exported graph has no branch
        return last.long()
    before = channel[:, -2] if channel.shape[1] > 1 else last - 1
    if not bool(((last == before + 1) & (last >= 1)).all()):
        raise ValueError("the last channel of these windows is not the age of each row, which this model reads")
    return last.long()
