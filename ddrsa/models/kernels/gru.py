"""A GRU layer over 16 windows, and its gradients.

With r, z the gates of PyTorch's GRU: q = U_n h_{t-1} + b_hn, n = tanh(W_n x + b_in + r q), h_t = (1 - z) n + z h_{t-1}.
Rows of weights are in PyTorch's order r, z, n. All arrays are flat float32; 16 floats are one number of the 16 windows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from ddrsa.models.kernels.products import BACKWARD, FORWARD, add_outer_product, add_product
from ddrsa.models.kernels.vectors import add, fma, load, mul, sigmoid, splat, store, sub, tanh, total

# Of products.py and vectors.py: numba compiles anew what it has cached when this file changes, and looks at no other.
PARTS = "95615f495100"
GATES = 3
# Of each unit and step, for the backward pass: r, z, n, q.
KEPT = 4
# Rows of deltas of each unit and step: those of the input's side are r, z, n; of the state's r, z, q.
DELTAS = 4


@njit(FORWARD, nogil=True, cache=True)
def forward(
    x: Any, constant: bool, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, steps: int, inputs: int, units: int, kept: Any,
    states: Any,
) -> None:  # fmt: skip
    """Fill `states` (steps + 1, units), the first of them 0, and `kept` (steps, KEPT, units).

    x: (steps, inputs), or (inputs,) for all steps where it is `constant`.
    """
    rows, both = GATES * units, 2 * units
    # The rows of n are those of the input's side alone; q has rows of its own behind them.
    bias, gates = np.empty((rows + units) * 16, np.float32), np.empty((rows + units) * 16, np.float32)
    for g in range(both):
        store(bias, g * 16, splat(b_ih[g] + b_hh[g]))
    for j in range(units):
        store(bias, (both + j) * 16, splat(b_ih[both + j]))
        store(bias, (rows + j) * 16, splat(b_hh[both + j]))
    if constant:
        add_product(w_ih, 0, inputs, x, 0, bias, 0, rows)
    for j in range(units):
        store(states, j * 16, splat(types.float32(0)))
    one = splat(types.float32(1))
    for t in range(steps):
        gates[:] = bias
        if not constant:
            add_product(w_ih, 0, inputs, x, t * inputs * 16, gates, 0, rows)
        add_product(w_hh, 0, units, states, t * units * 16, gates, 0, both)
        add_product(w_hh, both * units, units, states, t * units * 16, gates, rows * 16, units)
        now = t * KEPT * units
        for j in range(units):
            r, z = sigmoid(load(gates, j * 16)), sigmoid(load(gates, (units + j) * 16))
            q = load(gates, (rows + j) * 16)
            n = tanh(fma(r, q, load(gates, (both + j) * 16)))
            store(kept, (now + j) * 16, r)
            store(kept, (now + units + j) * 16, z)
            store(kept, (now + 2 * units + j) * 16, n)
            store(kept, (now + 3 * units + j) * 16, q)
            h = fma(z, load(states, (t * units + j) * 16), mul(sub(one, z), n))
            store(states, ((t + 1) * units + j) * 16, h)


@njit(BACKWARD, nogil=True, cache=True)
def backward(
    x: Any, constant: bool, w_ih_t: Any, w_hh_t: Any, steps: int, inputs: int, units: int, kept: Any, states: Any,
    d_states: Any, every: bool, d_w_ih: Any, d_w_hh: Any, d_b_ih: Any, d_b_hh: Any, d_x: Any, deltas: Any,
) -> None:  # fmt: skip
    """Add to the gradients of the weights, and fill that of x where `d_x` has a place for it.

    w_ih_t: transposed, w_hh_t: transposed. d_states: (steps, units), or (units,) of the last state alone where not
    `every`. deltas: room for (steps, DELTAS, units), in the order q, r, z, n.
    """
    rows, both, all_rows = GATES * units, 2 * units, DELTAS * units
    d_h, d_q = np.zeros(units * 16, np.float32), np.zeros(rows * 16, np.float32)
    sums = np.zeros(all_rows * 16, np.float32)
    one = splat(types.float32(1))
    for t in range(steps - 1, -1, -1):
        now = t * KEPT * units
        at = t * all_rows * 16
        for j in range(units):
            r, z = load(kept, (now + j) * 16), load(kept, (now + units + j) * 16)
            n, q = load(kept, (now + 2 * units + j) * 16), load(kept, (now + 3 * units + j) * 16)
            h = load(d_h, j * 16)
            if every:
                h = add(h, load(d_states, (t * units + j) * 16))
            elif t == steps - 1:
                h = load(d_states, j * 16)
            d_n = mul(mul(h, sub(one, z)), sub(one, mul(n, n)))
            d_z = mul(mul(h, sub(load(states, (t * units + j) * 16), n)), mul(z, sub(one, z)))
            d_r = mul(mul(d_n, q), mul(r, sub(one, r)))
            store(d_h, j * 16, mul(h, z))
            store(deltas, at + j * 16, mul(d_n, r))
            store(deltas, at + (units + j) * 16, d_r)
            store(deltas, at + (both + j) * 16, d_z)
            store(deltas, at + (rows + j) * 16, d_n)
            # The state's side in PyTorch's order, r, z, q
            store(d_q, j * 16, d_r)
            store(d_q, (units + j) * 16, d_z)
            store(d_q, (both + j) * 16, mul(d_n, r))
        add_product(w_hh_t, 0, rows, d_q, 0, d_h, 0, units)
        for g in range(all_rows):
            store(sums, g * 16, add(load(sums, g * 16), load(deltas, at + g * 16)))
    step, first = all_rows * 16, units * 16
    add_outer_product(d_w_hh, 0, units, deltas, first, step, both, states, 0, units * 16, steps)
    add_outer_product(d_w_hh, both * units, units, deltas, 0, step, units, states, 0, units * 16, steps)
    for g in range(rows):
        d_b_ih[g] += total(load(sums, first + g * 16))
    for g in range(both):
        d_b_hh[g] += total(load(sums, first + g * 16))
    for j in range(units):
        d_b_hh[both + j] += total(load(sums, j * 16))
    if constant:
        add_outer_product(d_w_ih, 0, inputs, sums, first, 0, rows, x, 0, 0, 1)
    else:
        add_outer_product(d_w_ih, 0, inputs, deltas, first, step, rows, x, 0, inputs * 16, steps)
    if d_x.size > 0:
        d_x[:] = 0
        if constant:
            add_product(w_ih_t, 0, rows, sums, first, d_x, 0, inputs)
        else:
            for t in range(steps):
                add_product(w_ih_t, 0, rows, deltas, t * step + first, d_x, t * inputs * 16, inputs)
