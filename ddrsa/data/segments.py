"""The order of a training epoch in which windows of one unit stand together, in segments."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Segments(NamedTuple):
    """Every window once, segment by segment.

    window: (N,) int64, its number in the order of the rows. number: (N,) int64, the segment of each, from 0, ascending.
    """

    window: Tensor
    number: Tensor


def draw_segments(rows_before: Tensor, size: int, stride: int, generator: torch.Generator) -> Segments:
    """Segments of up to `size` windows that end at every `stride`-th row of a unit, all windows once, shuffled.

    Of n such windows of a unit, one beside the other, ceil(n / size) segments are made, and the first and the last of
    them are as short as it takes: where they are cut is drawn anew at each call.

    Args:
        rows_before: (N,) int64, how many rows of its unit stand before each window's last one, unit by unit, ascending.
    """
    unit = (rows_before == 0).cumsum(0) - 1
    # Windows that may stand together: those of a unit whose last rows differ by a multiple of the stride.
    chain = unit * stride + rows_before % stride
    lengths = torch.bincount(chain)
    room = (lengths + size - 1) // size * size - lengths
    shift = (torch.rand(len(lengths), generator=generator, dtype=torch.float64) * (room + 1)).long()
    in_chain = (rows_before // stride + shift[chain]) // size
    _, segment = torch.unique(chain * len(rows_before) + in_chain, return_inverse=True)
    place = torch.randperm(int(segment.max()) + 1, generator=generator)[segment]
    order = place.argsort(stable=True)
    return Segments(order, place[order])
