"""The whole recurrent network over tiles of 32 windows: encoder, decoder and output layer, and their gradients.

All arrays are flat. Parameters and gradients stand as `packing.py` says; U is the number of units there. A layer has
one number over encoder and decoder. Behind each is dropout, of elements numbered by tile, layer, step, unit and window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from ddrsa.models.kernels import gru, lstm
from ddrsa.models.kernels.lanes import drop_rows, to_lanes
from ddrsa.models.kernels.layer import CHUNK, backward_layer, forward_layer, rebuild_states
from ddrsa.models.kernels.products import clear
from ddrsa.models.kernels.vectors import add, drop, fma, load, mul, splat, spread, store, total

# The files whose code is compiled into this one's, and a hash of them: numba compiles anew what it has cached when this
# file changes, and looks at no other.
COMPILED = ("gru", "lanes", "layer", "lstm", "products", "vectors")
PARTS = "b03141680359"

_LSTM_GATES, _LSTM_KEPT, _LSTM_DELTAS = lstm.GATES, lstm.KEPT, lstm.DELTAS
_GRU_GATES, _GRU_KEPT, _GRU_DELTAS = gru.GATES, gru.KEPT, gru.DELTAS

_FLOATS, _PLACES, _SIZE = types.float32[::1], types.int64[::1], types.intp
_SHAPE = (types.boolean, *[_SIZE] * 7)
_DROPOUT = (types.int64, types.int64, types.float32)
# The one signature of each pass: another would be compiled anew, in the middle of a training.
_FORWARD = types.void(*_SHAPE, _FLOATS, _PLACES, _FLOATS, types.boolean, _FLOATS, _FLOATS, *_DROPOUT)
_BACKWARD = types.void(*_SHAPE, _FLOATS, _PLACES, *[_FLOATS] * 5, *_DROPOUT)


@njit(nogil=True)
def _backward_output(
    units: int, horizon: int, packed: Any, d_logits: Any, d_at: int, states: Any, d_states: Any, lanes: Any, to: int,
    number: int, key: int, threshold: int, scale: float,
) -> None:  # fmt: skip
    factor, zero = splat(types.float32(scale)), splat(types.float32(0))
    of_bias = zero
    for t in range(horizon):
        of_bias = add(of_bias, add(load(d_logits, d_at + t * 32), load(d_logits, d_at + t * 32 + 16)))
    store(lanes, to + units * 16, of_bias)
    output = packed.size - units - 1
    for j in range(units):
        weight, summed = spread(packed, output + j), zero
        for t in range(horizon):
            for half in range(0, 32, 16):
                at = (t * units + j) * 32 + half
                d = load(d_logits, d_at + t * 32 + half)
                if threshold != 0:
                    d = drop(d, number + at, key, threshold, factor)
                summed = fma(d, load(states, units * 32 + at), summed)
                store(d_states, at, mul(d, weight))
        store(lanes, to + j * 16, summed)


@njit(_FORWARD, nogil=True, cache=True)
def forward(
    is_lstm: bool, inputs: int, units: int, layers: int, lookback: int, horizon: int, first_tile: int, end_tile: int,
    x: Any, starts: Any, packed: Any, keep: bool, kept: Any, logits: Any, key: int, threshold: int, scale: float,
) -> None:  # fmt: skip
    """Fill the logits (tiles, L, 32), and what is kept for the gradients, of the tiles from `first_tile` on.

    units: U. x, starts: each window is the `lookback` * `inputs` floats of x from its start on. keep: if not, `kept` is
    not looked at. key, threshold, scale: as of `drop_rows`.
    """
    zero = types.intp(0)
    kept_rows = _LSTM_KEPT if is_lstm else _GRU_KEPT
    rows, floats = (_LSTM_GATES if is_lstm else _GRU_GATES) * units, units * 32
    lanes = np.empty(lookback * inputs * 32, np.float32)
    size = (max(lookback, horizon) + 1) * floats
    states, below = np.empty(size, np.float32), np.empty(size, np.float32)
    room, places = np.empty(4 * rows * 32, np.float32), np.empty(32, np.int64)
    written_over = kept if keep else np.empty(kept_rows * floats, np.float32)
    output = packed.size - units - 1
    bias = spread(packed, output + units)
    of_tile = layers * (lookback + horizon) * floats
    for tile in range(first_tile, end_tile):
        to_lanes(x, starts, tile * 32, lookback * inputs, lanes, places)
        at, done = zero, tile * of_tile
        for number in range(2 * layers):
            steps = lookback if number < layers else horizon
            width = inputs if number == 0 else units
            # The row before the first is that of no step.
            source = lanes if number == 0 else below[floats:]
            kept_at = done * kept_rows if keep else zero
            forward_layer(
                *(is_lstm, units, steps, source, width, number == layers, packed, at, keep),
                *(written_over, kept_at, states, room),
            )
            count = steps * floats
            if number == layers - 1:
                # The decoder reads the last state alone.
                for v in range(0, floats, 16):
                    store(states, floats + v, load(states, count + v))
                count = floats
            drop_rows(states, floats, count, done, key, threshold, scale)
            states, below = below, states
            at += rows * (width + units + 2)
            done += steps * floats
        for t in range(horizon):
            for half in range(0, 32, 16):
                summed = bias
                for j in range(units):
                    summed = fma(spread(packed, output + j), load(below, (t + 1) * floats + j * 32 + half), summed)
                store(logits, (tile * horizon + t) * 32 + half, summed)


@njit(_BACKWARD, nogil=True, cache=True)
def backward(
    is_lstm: bool, inputs: int, units: int, layers: int, lookback: int, horizon: int, first_tile: int, end_tile: int,
    x: Any, starts: Any, packed: Any, transposed: Any, kept: Any, d_logits: Any, gradients: Any, key: int,
    threshold: int, scale: float,
) -> None:  # fmt: skip
    """Fill the gradients, of each tile its own, from those of the logits (tiles, L, 32)."""
    zero = types.intp(0)
    kept_rows = _LSTM_KEPT if is_lstm else _GRU_KEPT
    rows, floats = (_LSTM_GATES if is_lstm else _GRU_GATES) * units, units * 32
    delta_rows = (_LSTM_DELTAS if is_lstm else _GRU_DELTAS) * units
    lanes = np.empty((lookback * inputs + 3) * 32, np.float32)
    # The rows that fill up.
    clear(lanes, lookback * inputs * 32, zero + 3 * 32)
    places = np.empty(32, np.int64)
    size = (max(lookback, horizon) + 1) * floats
    states, below, tanhs = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    d_states, d_below = np.empty(size, np.float32), np.empty(size, np.float32)
    room = np.empty(2 * floats + (CHUNK + 1) * delta_rows * 32, np.float32)
    of_tile = layers * (lookback + horizon) * floats
    num_gradients = rows * ((inputs + 3) // 4 * 4 + (4 * layers - 1) * units) + 2 * layers * delta_rows + units + 1
    by_lane = np.empty(num_gradients * 16, np.float32)
    for tile in range(first_tile, end_tile):
        to_lanes(x, starts, tile * 32, lookback * inputs, lanes, places)
        to, done = (num_gradients - units - 1) * 16, (tile + 1) * of_tile
        for number in range(2 * layers - 1, -1, -1):
            steps = lookback if number < layers else horizon
            width = inputs if number == 0 else units
            done -= steps * floats
            rebuild_states(is_lstm, units, steps, kept, done * kept_rows, states, tanhs)
            if number == 2 * layers - 1:
                d_at = tile * horizon * 32
                _backward_output(
                    *(units, horizon, packed, d_logits, d_at, states, d_states, by_lane, to),
                    *(done, key, threshold, scale),
                )
            # What the layer read: windows, or what dropout left of the states below.
            source, done_below = lanes, done
            if number > 0:
                steps_below = lookback if number <= layers else horizon
                done_below = done - steps_below * floats
                rebuild_states(is_lstm, units, steps_below, kept, done_below * kept_rows, below, d_below)
                count = steps_below * floats
                if number == layers:
                    for v in range(0, floats, 16):
                        store(below, floats + v, load(below, count + v))
                    count = floats
                drop_rows(below, floats, count, done_below, key, threshold, scale)
                source = below[floats:]
            to -= (rows * ((width + 3) // 4 * 4 + units) + delta_rows) * 16
            backward_layer(
                *(is_lstm, units, steps, source, width, number == layers, transposed),
                *(max(zero, 2 * number - 1) * rows * units, kept, done * kept_rows, states, tanhs),
                *(d_states, number != layers - 1, by_lane, to),
                *(d_below, number > 0, room),
            )
            if number > 0:
                count = floats if number == layers else steps * floats
                drop_rows(d_below, zero, count, done_below, key, threshold, scale)
                d_states, d_below = d_below, d_states
        for number in range(num_gradients):
            gradients[tile * num_gradients + number] = total(load(by_lane, number * 16))
