"""At which positions windows need the blocks of a temporal convolution, each position once per segment of windows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding, pad


class WindowsOfSegments(NamedTuple):
    """B windows.

    end: (B,) int64, the rows at which they end, of a table of all units. rows_before: (B,) int64, how many rows of its
    unit stand before each. segment: (B,) int64, ascending; windows of a segment are of one unit. seen: how many rows up
    to its last one a window sees.
    """

    end: Tensor
    rows_before: Tensor
    segment: Tensor
    seen: int


class Positions(NamedTuple):
    """The M positions at which a block is computed, and what of its input, T positions, it reads there.

    read: (M, kernel_size) int64, 1 + the number of the input's position, the last one at the row itself; 0 where the
        window has none. own: (M,) int64, the number of the one at the row itself.
    segment: (M,) int64, 0 .. num_segments - 1, or None for positions that belong to one window.
    """

    read: Tensor
    own: Tensor
    segment: Tensor | None
    num_segments: int


@torch.no_grad()
def positions(
    windows: WindowsOfSegments, num_rows: int, kernel_size: int, num_blocks: int
) -> tuple[Tensor, list[Positions]]:
    """The rows (T,) at which the input of the first block is needed, and the positions of each block.

    The last block is computed for each window; the others once for all windows of a segment that need them.

    num_rows: of the table.
    """
    _, segment, counts = torch.unique_consecutive(windows.segment, return_inverse=True, return_counts=True)
    first_row = (windows.end - windows.rows_before)[counts.cumsum(0) - 1]
    row = windows.end
    blocks: list[Positions] = []
    for number in range(num_blocks, 0, -1):
        dilation = kernel_size**number
        back = torch.arange(kernel_size - 1, -1, -1, device=row.device) * dilation
        # Of the last block alone, groups may lie before the window.
        there = ((row - first_row[segment])[:, None] >= back) & (back < windows.seen)
        wanted = ((segment * num_rows + row)[:, None] - back).where(there, -1).flatten()
        found, read = torch.unique(pad(wanted, (1, 0), value=-1), return_inverse=True)
        read = read[1:].view(-1, kernel_size)
        blocks.append(Positions(read, read[:, -1] - 1, segment if blocks else None, len(counts)))
        row, segment = found[1:] % num_rows, found[1:] // num_rows
    return row, blocks[::-1]


# The backward pass of `embedding` is many times as fast on a CPU as that of `index_select`.


def take_own(values: Tensor, where: Positions) -> Tensor:
    """(M, C) of values (T, C), those at the rows themselves."""
    return embedding(where.own, values)


def take_all(values: Tensor, where: Positions) -> Tensor:
    """(M, kernel_size * C) of values (T, C), with zeros where there are none."""
    return embedding(where.read, pad(values, (0, 0, 1, 0)), padding_idx=0).flatten(1)
