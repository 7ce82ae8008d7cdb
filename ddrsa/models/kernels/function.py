"""The recurrent network as a function that autograd knows, computed by the kernels."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ddrsa.models.kernels import gru, lstm, network
from ddrsa.models.kernels.packing import Packing, packing
from ddrsa.models.kernels.products import ROWS
from ddrsa.models.kernels.vectors import TILE


@dataclass(frozen=True)
class Shape:
    """The shape of a network: LSTM or GRU, F + 1 inputs, units and layers of encoder and decoder, K and L."""

    is_lstm: bool
    inputs: int
    units: int
    layers: int
    lookback: int
    horizon: int

    @property
    def padded(self) -> int:
        """The units, with those that fill up."""
        return -(-self.units // ROWS) * ROWS

    @property
    def packing(self) -> Packing:
        """Where the parameters and gradients stand."""
        cell = lstm if self.is_lstm else gru
        return packing(cell.GATES, cell.DELTAS, cell.TURNED, self.inputs, self.units, self.layers)

    @property
    def kept_of_tile(self) -> int:
        """The floats that the forward pass keeps of a tile for the gradients."""
        rows = lstm.KEPT if self.is_lstm else gru.KEPT
        return rows * self.layers * (self.lookback + self.horizon) * self.padded * TILE

    @property
    def sizes(self) -> tuple[int | bool, ...]:
        """As the kernels take them."""
        return self.is_lstm, self.inputs, self.padded, self.layers, self.lookback, self.horizon


def recurrent_logits(shape: Shape, windows: Tensor, dropout: float, parameters: Sequence[Tensor]) -> Tensor:
    """Hazard logits (B, L) from windows (B, K, F + 1), of which no gradient is taken.

    windows, parameters: float32 on the CPU; the parameters in the order of `network.py`, without the encoder's biases.
    dropout: behind every layer, in [0, 1). What it drops follows from one number drawn from torch's generator. The
    gradient can be taken once. The result does not depend on the number of threads.
    """
    key = int(torch.randint(-(2**63), 2**63 - 1, ())) if dropout > 0 else 0
    logits: Tensor = _Network.apply(shape, windows, dropout, key, *parameters)  # type: ignore[no-untyped-call]
    return logits


class _Network(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, shape: Shape, windows: Tensor, dropout: float, key: int, *parameters: Tensor) -> Tensor:
        batch = len(windows)
        tiles = -(-batch // TILE)
        flat = windows.detach().contiguous().view(-1).numpy()
        # What is missing of the last tile is the first window once more.
        starts = np.zeros(tiles * TILE, np.int64)
        starts[:batch] = np.arange(batch) * (shape.lookback * shape.inputs)
        weights = torch.cat([*(each.detach().reshape(-1) for each in parameters), windows.new_zeros(1)]).numpy()
        packed = weights[shape.packing.packed]
        keep = any(context.needs_input_grad)
        kept = np.empty(tiles * shape.kept_of_tile if keep else 0, np.float32)
        logits = np.empty((tiles, shape.horizon, TILE), np.float32)
        dropped = key, round(dropout * 2**32), 1 / (1 - dropout)

        def work(first: int, end: int) -> None:
            network.forward(*shape.sizes, first, end, flat, starts, packed, keep, kept, logits.reshape(-1), *dropped)

        _share(tiles, work)
        context.shape, context.batch, context.like = shape, batch, [each.shape for each in parameters]
        context.arrays, context.weights, context.dropped = (flat, starts, packed), weights, dropped
        context.kept = kept
        return torch.from_numpy(logits).transpose(1, 2).reshape(-1, shape.horizon)[:batch]

    @staticmethod
    @once_differentiable
    def backward(context: Any, d_logits: Tensor) -> tuple[Tensor | None, ...]:
        shape: Shape = context.shape
        tiles = -(-context.batch // TILE)
        outer = d_logits.new_zeros(tiles * TILE, shape.horizon)
        outer[: context.batch] = d_logits
        by_lane = outer.view(tiles, TILE, -1).transpose(1, 2).contiguous().view(-1).numpy()
        transposed = context.weights[shape.packing.transposed]
        # Of each tile its own, added up in the order of the tiles: the sum is the same for any number of threads.
        gradients = np.empty((tiles, shape.packing.num_gradients), np.float32)

        def work(first: int, end: int) -> None:
            arrays = (*context.arrays, transposed, context.kept, by_lane, gradients.reshape(-1))
            network.backward(*shape.sizes, first, end, *arrays, *context.dropped)

        _share(tiles, work)
        summed = torch.from_numpy(gradients.sum(axis=0)[shape.packing.gradients])
        sizes = [size.numel() for size in context.like]
        parts = [part.view(size) for part, size in zip(summed.split(sizes), context.like, strict=True)]
        return None, None, None, None, *parts


# Its threads are gone in a process that is forked.
_pool: tuple[tuple[int, int], ThreadPoolExecutor] | None = None


def _share(tiles: int, work: Callable[[int, int], None]) -> None:
    """Call `work` with ranges of the tiles, by as many threads as torch has: the kernels let go of the interpreter."""
    global _pool
    threads = min(torch.get_num_threads(), tiles)
    if threads <= 1:
        work(0, tiles)
        return
    key = os.getpid(), threads
    if _pool is None or _pool[0] != key:
        _pool = key, ThreadPoolExecutor(threads, initializer=torch.set_flush_denormal, initargs=(True,))
    bounds = [tiles * number // threads for number in range(threads + 1)]
    list(_pool[1].map(work, bounds[:-1], bounds[1:]))
