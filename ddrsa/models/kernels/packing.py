"""Where each parameter stands for the kernels, and where they put its gradient, as indices computed once per shape.

U is the number of units filled up to a multiple of 8 with such as have no weights: their states are 0.

- Packed, of each layer, of the encoder and then of the decoder: the weights of the input (G U, inputs) and of the state
  (G U, U), 8 rows at a time and of each column of them the 8 numbers side by side; the two biases (G U). Then the
  weights and the bias of the output.
- Transposed, of each layer: the weights of the state (U, G U) and, but for the first layer, of the input (U, G U), in
  blocks of 8 rows as well. Where gates are `turned` (`gru.py`), the columns of the state's begin with the last gate.
- Gradients, of each layer: of the weights of the input (G U, inputs up to a multiple of 4) and of the state (G U, U),
  whose gates may be turned; the sums of the deltas. Then those of the output.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddrsa.models.kernels.products import ROWS

Index = NDArray[np.int64]


class Packing(NamedTuple):
    """packed, transposed: which of the parameters, one behind the other and a 0 behind them, stands there. gradients:
    at which of the kernels' gradients that of each parameter stands; num_gradients: how many of those there are.
    """

    packed: Index
    transposed: Index
    gradients: Index
    num_gradients: int


@functools.lru_cache(maxsize=64)
def packing(gates: int, deltas: int, turned: bool, inputs: int, units: int, layers: int) -> Packing:
    """The places for networks of that shape; the parameters are those of PyTorch's layers in their order, the encoder
    without biases.
    """
    padded = -(-units // ROWS) * ROWS
    rows, turn = gates * padded, int(turned)
    total = (
        sum(size for number in range(2 * layers) for size in _sizes(gates, inputs, units, layers, number)) + units + 1
    )
    packed: list[Index] = []
    transposed: list[Index] = []
    gradients: list[Index] = []
    first, to = 0, 0
    for number in range(2 * layers):
        true_width, width = (inputs, inputs) if number == 0 else (units, padded)
        wide = -(-width // 4) * 4
        sizes = _sizes(gates, inputs, units, layers, number)
        of_input, of_state, *biases = [first + sum(sizes[:part]) + np.arange(size) for part, size in enumerate(sizes)]
        w_ih = _filled_up(of_input.reshape(gates, units, true_width), padded, width, total)
        w_hh = _filled_up(of_state.reshape(gates, units, units), padded, padded, total)
        packed += [_in_blocks(w_ih), _in_blocks(w_hh)]
        for bias in biases if sizes[2] else [np.full(gates * units, total)] * 2:
            packed.append(_filled_up(bias.reshape(gates, units, 1), padded, 1, total).reshape(-1))
        transposed.append(_in_blocks(np.roll(w_hh.reshape(gates, padded, padded), turn, 0).reshape(rows, padded).T))
        if number > 0:
            transposed.append(_in_blocks(w_ih.T))
        here = to + np.arange(rows * wide).reshape(gates, padded, wide)
        gradients.append(here[:, :units, :true_width])
        here = to + rows * wide + np.arange(rows * padded).reshape(gates, padded, padded)
        gradients.append(np.roll(here, -turn, 0)[:, :units, :units])
        sums = to + rows * (wide + padded)
        if sizes[2]:
            side = sums + (deltas - gates) * padded
            gradients.append((side + np.arange(rows)).reshape(gates, padded)[:, :units])
            gradients.append(np.roll((sums + np.arange(rows)).reshape(gates, padded), -turn, 0)[:, :units])
        to = sums + deltas * padded
        first += sum(sizes)
    output = np.full(padded, total)
    output[:units] = first + np.arange(units)
    packed += [output, np.array([first + units])]
    gradients += [to + np.arange(units), np.array([to + padded])]
    return Packing(_joined(packed), _joined(transposed), _joined(gradients), to + padded + 1)


def _sizes(gates: int, inputs: int, units: int, layers: int, number: int) -> tuple[int, int, int, int]:
    """The numbers of weights of the input and of the state, and of biases of a layer."""
    rows = gates * units
    biases = rows if number >= layers else 0
    return rows * (inputs if number == 0 else units), rows * units, biases, biases


def _filled_up(index: Index, padded: int, width: int, nothing: int) -> Index:
    """(gates * padded, width) of (gates, units, columns), with the index of the 0 elsewhere."""
    filled = np.full((len(index), padded, width), nothing)
    filled[:, : index.shape[1], : index.shape[2]] = index
    return filled.reshape(-1, width)


def _in_blocks(index: Index) -> Index:
    return index.reshape(-1, ROWS, index.shape[1]).transpose(0, 2, 1).reshape(-1)


def _joined(parts: list[Index]) -> Any:
    return np.concatenate([part.reshape(-1) for part in parts])
