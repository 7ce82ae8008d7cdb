"""A GRU layer as a function that autograd knows, computed by the kernels."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ddrsa.models.kernels import gru
from ddrsa.models.kernels.vectors import LANES


@dataclass(frozen=True)
class Layer:
    """The shape of a layer's work.

    steps: T. constant: whether the input is the same at all steps. every: whether the states of all
    steps are wanted, or the last alone.
    """

    steps: int
    constant: bool
    every: bool


def run_layer(
    layer: Layer, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """The states (B, T, H), or the last (B, H), of a layer that begins with zeros.

    x: (B, T, F), or (B, F) where it is constant; float32 on the CPU, like the weights of PyTorch's layers (G H, F),
    (G H, H), (G H,). The gradient can be taken once. The result does not depend on the number of threads.
    """
    zeros = w_ih.new_zeros(len(w_ih)) if b_ih is None or b_hh is None else None
    biases = (zeros, zeros) if zeros is not None else (b_ih, b_hh)
    states: Tensor = _Recurrence.apply(layer, x, w_ih, w_hh, *biases)  # type: ignore[no-untyped-call]
    return states


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, layer: Layer, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:
        units, inputs = w_hh.shape[1], w_ih.shape[1]
        tiles = _tiles(x)
        weights = [_flat(each) for each in (w_ih, w_hh, b_ih, b_hh)]
        differentiable = any(context.needs_input_grad)
        count = len(tiles) if differentiable else 0
        kept = np.empty((count, layer.steps * gru.KEPT * units * LANES), np.float32)
        states = np.empty((len(tiles), (layer.steps + 1) * units * LANES), np.float32)

        def work(tile: int) -> None:
            # Without a gradient, what is kept is kept for nobody.
            room = kept[tile] if differentiable else np.empty(kept.shape[1], np.float32)
            gru.forward(tiles[tile], layer.constant, *weights, layer.steps, inputs, units, room, states[tile])

        _for_each(len(tiles), work)
        context.layer, context.batch, context.tiles, context.kept, context.states = layer, len(x), tiles, kept, states
        context.save_for_backward(w_ih, w_hh)
        by_step = torch.from_numpy(states).view(len(tiles), layer.steps + 1, units, LANES)
        return _windows(by_step[:, 1:] if layer.every else by_step[:, -1], len(x))

    @staticmethod
    @once_differentiable
    def backward(context: Any, d_states: Tensor) -> tuple[Tensor | None, ...]:
        layer: Layer = context.layer
        w_ih, w_hh = context.saved_tensors
        units, inputs = w_hh.shape[1], w_ih.shape[1]
        tiles = context.tiles
        transposed = [_flat(each.t()) for each in (w_ih, w_hh)]
        outer = _tiles(d_states)
        sizes = (w_ih.numel(), w_hh.numel(), len(w_ih), len(w_ih))
        # Of each tile its own, added up in the order of the tiles: the sum is the same for any number of threads.
        gradients = [np.zeros((len(tiles), size), np.float32) for size in sizes]
        d_x = np.empty((len(tiles), tiles.shape[1] if context.needs_input_grad[1] else 0), np.float32)

        def work(tile: int) -> None:
            deltas = np.empty(layer.steps * gru.DELTAS * units * LANES, np.float32)
            gru.backward(
                *(tiles[tile], layer.constant, *transposed, layer.steps, inputs, units),
                *(context.kept[tile], context.states[tile], outer[tile], layer.every),
                *(each[tile] for each in gradients),
                *(d_x[tile], deltas),
            )

        _for_each(len(tiles), work)
        summed = [torch.from_numpy(each.sum(axis=0)) for each in gradients]
        of_x = None
        if context.needs_input_grad[1]:
            shape = (inputs, LANES) if layer.constant else (layer.steps, inputs, LANES)
            of_x = _windows(torch.from_numpy(d_x).view(len(tiles), *shape), context.batch)
        return None, of_x, summed[0].view_as(w_ih), summed[1].view_as(w_hh), summed[2], summed[3]


def _flat(weights: Tensor) -> Any:
    return weights.detach().contiguous().view(-1).numpy()


def _tiles(x: Tensor) -> Any:
    """(ceil(B / 16), ... * 16) of (B, ...): 16 windows side by side; what is missing of the last 16 is 0."""
    x = x.detach()
    missing = -len(x) % LANES
    if missing:
        x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
    tiles = x.reshape(-1, LANES, x[0].numel()).transpose(1, 2)
    return tiles.contiguous().view(len(tiles), -1).numpy()


def _windows(tiles: Tensor, batch: int) -> Tensor:
    """(B, ...) of (tiles, ..., 16): the reverse of `_tiles`."""
    return tiles.movedim(-1, 1).reshape(-1, *tiles.shape[1:-1])[:batch].contiguous()


# Its threads are gone in a process that is forked.
_pool: tuple[tuple[int, int], ThreadPoolExecutor] | None = None


def _for_each(count: int, work: Any) -> None:
    """Call `work` with 0 .. count - 1, by as many threads as torch has: the kernels let go of the interpreter."""
    global _pool
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        for tile in range(count):
            work(tile)
        return
    key = os.getpid(), threads
    if _pool is None or _pool[0] != key:
        _pool = key, ThreadPoolExecutor(threads, initializer=torch.set_flush_denormal, initargs=(True,))
    list(_pool[1].map(work, range(count)))
