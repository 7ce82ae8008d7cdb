"""A recurrent layer over the 32 windows of a tile, and its gradients.

All arrays are flat float32. U units are filled up to a multiple of 8 with such as have no weights: their states are 0.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from ddrsa.models.kernels import gru, lstm
from ddrsa.models.kernels.products import add_outer_product, add_rows, clear, product
from ddrsa.models.kernels.vectors import add, load, splat, store

# Steps whose deltas are there at once: they stay in the processor's cache.
CHUNK = 32
_LSTM_GATES, _LSTM_KEPT, _LSTM_DELTAS = lstm.GATES, lstm.KEPT, lstm.DELTAS
_GRU_GATES, _GRU_KEPT, _GRU_DELTAS = gru.GATES, gru.KEPT, gru.DELTAS


@njit(nogil=True)
def forward_layer(
    is_lstm: bool, units: int, steps: int, source: Any, width: int, constant: bool, packed: Any, at: int, keep: bool,
    kept: Any, kept_at: int, states: Any, room: Any,
) -> None:  # fmt: skip
    """Fill `states` (steps + 1, U), the first of them 0, and `kept` (steps, KEPT, U) from `kept_at` on.

    source: (steps, width), or (width,) for all steps where it is `constant`. packed: from `at` on the weights of the
    input and of the state, and the two biases. keep: if not, `kept` is (KEPT, U), written over at each step. room: for
    4 * GATES * U rows.
    """
    gates = _LSTM_GATES if is_lstm else _GRU_GATES
    kept_step = (_LSTM_KEPT if is_lstm else _GRU_KEPT) * units * 32 if keep else 0
    rows, floats = gates * units, units * 32
    w_hh = at + rows * width
    biases = w_hh + rows * units
    # What the sums of the input's side begin with, those sums, those of the state's side; and an LSTM's cells, or what
    # the sums of a GRU's state begin with. An LSTM's begin with those of the input.
    bias, of_input, of_state = room, room[rows * 32 :], room[2 * rows * 32 :]
    cells = room[3 * rows * 32 :]
    begin_of_state = of_input if is_lstm else cells
    for g in range(rows):
        b_ih, b_hh = packed[biases + g], packed[biases + rows + g]
        if is_lstm:
            b_ih += b_hh
        for half in range(0, 32, 16):
            store(bias, g * 32 + half, splat(b_ih))
            if not is_lstm:
                store(begin_of_state, g * 32 + half, splat(b_hh))
    zero = types.intp(0)
    clear(states, zero, floats)
    if is_lstm:
        clear(cells, zero, floats)
    if constant:
        product(packed, at, width, source, zero, bias, zero, of_input, zero, rows)
    for t in range(steps):
        if not constant:
            product(packed, at, width, source, t * width * 32, bias, zero, of_input, zero, rows)
        before = t * floats
        product(packed, w_hh, units, states, before, begin_of_state, zero, of_state, zero, rows)
        if is_lstm:
            lstm.step(of_state, floats, cells, kept, kept_at + t * kept_step, states, before + floats)
        else:
            gru.step(of_input, of_state, floats, kept, kept_at + t * kept_step, states, before, before + floats)


@njit(nogil=True)
def rebuild_states(is_lstm: bool, units: int, steps: int, kept: Any, kept_at: int, states: Any, tanhs: Any) -> None:
    """The states (steps + 1, U), the first of them 0, from what was kept; and for an LSTM tanh(c) (steps, U)."""
    floats = units * 32
    clear(states, types.intp(0), floats)
    for t in range(steps):
        if is_lstm:
            at = kept_at + t * _LSTM_KEPT * floats
            lstm.rebuild(floats, kept, at, states, (t + 1) * floats, tanhs, t * floats)
        else:
            gru.rebuild(floats, kept, kept_at + t * _GRU_KEPT * floats, states, (t + 1) * floats)


@njit(nogil=True)
def backward_layer(
    is_lstm: bool, units: int, steps: int, source: Any, width: int, constant: bool, transposed: Any, at: int,
    kept: Any, kept_at: int, states: Any, tanhs: Any, d_states: Any, every: bool, lanes: Any, to: int,
    d_source: Any, wanted: bool, room: Any,
) -> None:  # fmt: skip
    """The gradients of a layer.

    transposed: from `at` on, the weights of the state and of the input. states, tanhs: of `rebuild_states`. d_states:
    (steps, U), or (U,) of the last state alone where not `every`. lanes: from `to` on, filled lane by lane with the
    gradients of the weights of the input, (GATES * U, width up to a multiple of 4), and of the state, and with the sum
    of the deltas over the steps, (DELTAS * U). d_source: the gradient of the source, where it is `wanted`. room: for
    (2 + (CHUNK + 1) * DELTAS) * U rows.
    """
    zero = types.intp(0)
    gates = _LSTM_GATES if is_lstm else _GRU_GATES
    kept_step = (_LSTM_KEPT if is_lstm else _GRU_KEPT) * units * 32
    delta_rows = (_LSTM_DELTAS if is_lstm else _GRU_DELTAS) * units
    rows, floats, step = gates * units, units * 32, delta_rows * 32
    # Where the deltas of the input's side begin.
    side = step - rows * 32
    of_state = to + rows * ((width + 3) // 4 * 4) * 16
    of_sums = of_state + rows * units * 16
    d_h, d_c, sums, deltas = room, room[floats:], room[2 * floats :], room[2 * floats + step :]
    clear(room, zero, 2 * floats + step)
    clear(lanes, to, of_sums + delta_rows * 16 - to)
    end = steps
    while end > 0:
        start = max(zero, end - CHUNK)
        for t in range(end - 1, start - 1, -1):
            if every:
                for v in range(0, floats, 16):
                    store(d_h, v, add(load(d_h, v), load(d_states, t * floats + v)))
            elif t == steps - 1:
                for v in range(0, floats, 16):
                    store(d_h, v, load(d_states, v))
            now, here = kept_at + t * kept_step, (t - start) * step
            if is_lstm:
                lstm.step_back(floats, kept, now, t == 0, tanhs, t * floats, d_h, d_c, deltas, here)
            else:
                gru.step_back(floats, kept, now, states, t * floats, d_h, deltas, here)
            product(transposed, at, rows, deltas, here, d_h, zero, d_h, zero, units)
        count = end - start
        add_outer_product(lanes, of_state, units, deltas, zero, step, rows, states, start * floats, floats, count)
        add_rows(sums, deltas, step, delta_rows * 2, count)
        if not constant:
            of_source = width * 32
            add_outer_product(lanes, to, width, deltas, side, step, rows, source, start * of_source, of_source, count)
            if wanted:
                clear(d_source, start * floats, count * floats)
                for t in range(start, end):
                    here, there = (t - start) * step + side, t * floats
                    product(transposed, at + rows * units, rows, deltas, here, d_source, there, d_source, there, units)
        end = start
    if constant:
        add_outer_product(lanes, to, width, sums, side, zero, rows, source, zero, zero, zero + 1)
        if wanted:
            clear(d_source, zero, floats)
            product(transposed, at + rows * units, rows, sums, side, d_source, zero, d_source, zero, units)
    for g in range(delta_rows):
        store(lanes, of_sums + g * 16, add(load(sums, g * 32), load(sums, g * 32 + 16)))
