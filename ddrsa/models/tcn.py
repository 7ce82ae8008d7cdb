"""The temporal convolution DDRSA model: causal dilated residual blocks, and a layer that emits all L hazard logits.

The blocks are those of Bai, Kolter and Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks
for Sequence Modeling" (2018), with the dilation multiplied by the kernel size from block to block, as in WaveNet. The
forecast is made at the last row alone, and there each block needs its input only at every kernel-size-th position: so
each works on groups of its input that do not overlap, and all blocks together cost little more than the first. The
rows themselves are read by a causal convolution of the same kind.

Forecasts at every row of a unit share what their windows have in common: each block is computed once per row then. So
do, in training, the windows of a segment: each block is computed once at each of the positions that they need.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ddrsa.models.base import DDRSAModel
from ddrsa.models.layers import FeatureDropout
from ddrsa.models.tcn_segments import Positions, WindowsOfSegments, positions, take_all, take_own


class TemporalConvolutionDDRSA(DDRSAModel):
    """A causal convolution with as many blocks as it takes for the last row's forecast to see `lookback` rows.

    What it says does not depend on the padding before a window: what a block makes of padding alone is set to zero.

    Args:
        num_features: F, without the channel that marks the padding.
        lookback: K, the rows that a forecast sees; in a longer window the rows before them are not looked at.
        horizon: L.
        channels: width of the blocks.
        kernel_size: positions that a block's convolution sees, 2 or more.
        dropout: of channels in each residual branch, and before the output.
    """

    def __init__(
        self, num_features: int, lookback: int, horizon: int, channels: int, kernel_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.horizon = horizon
        self.steps_at_once = 49_152
        self.kernel_size = kernel_size
        num_blocks = blocks_to_see(lookback, kernel_size)
        self.receptive_field = kernel_size ** (1 + num_blocks)
        self.embedding = nn.Linear(kernel_size * (num_features + 1), channels)
        self.blocks = nn.ModuleList(CausalBlock(channels, kernel_size, dropout) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels, horizon)
        # Hazards of 1 / (1 + L) at first: of one half, nearly every unit would fail within a few steps.
        nn.init.constant_(self.output.bias, -math.log(horizon))

    def forward(self, windows: Tensor) -> Tensor:
        """Hazard logits (B, L) from windows (B, K, F + 1)."""
        groups = in_groups(windows[:, -self.receptive_field :], self.kernel_size)
        # The last row of a group is real if any of it is, for padding stands before all real rows.
        real = groups[:, :, -1, -1:]
        values = self.embedding(groups.flatten(2)) * real
        for block in self.blocks:
            values, real = block(values, real)
        logits: Tensor = self.output(self.dropout(self.norm(values[:, -1])))
        return logits

    def reads_rows(self, lookback: int) -> bool:
        # Else the first group of a block lies partly before the window, and what is cut off there depends on its end.
        return min(lookback, self.receptive_field) % (self.receptive_field // self.kernel_size) == 0

    def in_segments(self, table: Tensor, end: Tensor, rows_before: Tensor, segment: Tensor, lookback: int) -> Tensor:
        size, seen, width = self.kernel_size, min(lookback, self.receptive_field), table.shape[1]
        windows = WindowsOfSegments(end, rows_before, segment, seen)
        rows, blocks = positions(windows, len(table), size, len(self.blocks))
        groups = table.as_strided((len(table) - size + 1, size * width), (width, 1))
        values = self.embedding(groups.index_select(0, rows - (size - 1)))
        for block, where in zip(self.blocks, blocks, strict=True):
            assert isinstance(block, CausalBlock)
            values = block.at_positions(values, where)
        logits: Tensor = self.output(self.dropout(self.norm(values)))
        return logits

    def at_every_row(self, rows: Tensor, rows_before: Tensor, lookback: int) -> Tensor:
        size, seen = self.kernel_size, min(lookback, self.receptive_field)
        values = self.embedding(groups_before(rows, rows_before, 1, size, size))
        dilation = 1
        for block in self.blocks:
            assert isinstance(block, CausalBlock)
            dilation *= size
            # Of the last block, groups that lie before the window are left out.
            values = block.at_every_row(values, rows_before, dilation, min(size, seen // dilation))
        logits: Tensor = self.output(self.dropout(self.norm(values)))
        return logits


class CausalBlock(nn.Module):
    """A causal convolution and a linear layer beside a residual connection, at every `kernel_size`-th position.

    (B, T, C) and which positions are real, (B, T, 1), to the same of T / kernel_size positions, rounded up, the last
    one included.
    """

    def __init__(self, channels: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.norm = nn.LayerNorm(channels)
        # The convolution with a stride of its own width, as one product.
        self.convolution = nn.Linear(kernel_size * channels, channels)
        self.linear = nn.Linear(channels, channels)
        self.dropout = FeatureDropout(dropout)

    def forward(self, values: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        groups = in_groups(self.norm(values) * real, self.kernel_size)
        real = in_groups(real, self.kernel_size)[:, :, -1]
        change = self.linear(nn.functional.gelu(self.convolution(groups.flatten(2))))
        last = in_groups(values, self.kernel_size)[:, :, -1]
        return (last + self.dropout(change)) * real, real

    def at_positions(self, values: Tensor, where: Positions) -> Tensor:
        """(M, C) of the input (T, C); positions of the same `where.segment` drop the same channels."""
        groups = take_all(self.norm(values), where)
        change = self.linear(nn.functional.gelu(self.convolution(groups)))
        if self.training and self.dropout.p > 0:
            num_masks = len(change) if where.segment is None else where.num_segments
            masks = nn.functional.dropout(change.new_ones(num_masks, change.shape[1]), self.dropout.p)
            change = change * (masks if where.segment is None else masks[where.segment])
        return take_own(values, where) + change

    def at_every_row(self, values: Tensor, rows_before: Tensor, dilation: int, num_seen: int) -> Tensor:
        """(N, C) of the input at every row, (N, C), without dropout; arguments as of `groups_before`."""
        groups = groups_before(self.norm(values), rows_before, dilation, self.kernel_size, num_seen)
        change: Tensor = self.linear(nn.functional.gelu(self.convolution(groups)))
        return values + change


def in_groups(values: Tensor, size: int) -> Tensor:
    """(B, T, C) as (B, T / size, size, C), with zeros before the first position where T is no multiple of `size`."""
    return pad(values, (0, 0, -values.shape[1] % size, 0)).unflatten(1, (-1, size))


def groups_before(values: Tensor, rows_before: Tensor, dilation: int, size: int, num_seen: int) -> Tensor:
    """(N, size * C) of (N, C): those at each row and at every `dilation`-th before it, the row itself last.

    There are zeros in the place of all but the last `num_seen`, and of those before the first row of the unit.
    """
    back = torch.arange(size - 1, -1, -1, device=values.device) * dilation
    index = torch.arange(len(values), device=values.device)[:, None] - back
    there = (rows_before[:, None] >= back) & (back < num_seen * dilation) & (index >= 0)
    index = index.where(there, len(values))
    return (
        torch.cat([values, values.new_zeros(1, values.shape[1])]).index_select(0, index.flatten()).view(len(values), -1)
    )


def blocks_to_see(lookback: int, kernel_size: int) -> int:
    """The least number of blocks, at least 1, with which kernel_size ** (1 + blocks) rows hold `lookback` rows."""
    blocks = 1
    while kernel_size ** (1 + blocks) < lookback:
        blocks += 1
    return blocks
