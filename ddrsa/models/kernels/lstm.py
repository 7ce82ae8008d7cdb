"""A step of an LSTM for the 32 windows of a tile, forward and backward.

With i, f, o the gates and g the candidate of PyTorch's LSTM: c_t = f c_{t-1} + i g, h_t = o tanh(c_t). Gates are in
PyTorch's order i, f, g, o.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from ddrsa.models.kernels.vectors import fma, load, mul, sigmoid, splat, store, sub, tanh

GATES = 4
# Of each unit and step, for the backward pass: i, f, g, o, c.
KEPT = 5
# Rows of deltas of each unit and step: i, f, g, o, those of the state's side and of the input's.
DELTAS = 4
# Whether the last gate's rows stand before the first one's on the state's side.
TURNED = False


@njit(inline="always")
def step(gates: Any, width: int, cells: Any, kept: Any, at: int, states: Any, to: int) -> None:
    """h_t from the sums of the gates (4, width) and c_{t-1}, which becomes c_t; width: the floats of all units."""
    for v in range(0, width, 16):
        i, f = sigmoid(load(gates, v)), sigmoid(load(gates, width + v))
        g, o = tanh(load(gates, 2 * width + v)), sigmoid(load(gates, 3 * width + v))
        c = fma(f, load(cells, v), mul(i, g))
        store(cells, v, c)
        store(states, to + v, mul(o, tanh(c)))
        store(kept, at + v, i)
        store(kept, at + width + v, f)
        store(kept, at + 2 * width + v, g)
        store(kept, at + 3 * width + v, o)
        store(kept, at + 4 * width + v, c)


@njit(inline="always")
def rebuild(width: int, kept: Any, at: int, states: Any, to: int, tanhs: Any, tanhs_at: int) -> None:
    """h_t and tanh(c_t) from what is kept."""
    for v in range(0, width, 16):
        tanh_c = tanh(load(kept, at + 4 * width + v))
        store(tanhs, tanhs_at + v, tanh_c)
        store(states, to + v, mul(load(kept, at + 3 * width + v), tanh_c))


@njit(inline="always")
def step_back(
    width: int, kept: Any, at: int, first: bool, tanhs: Any, tanhs_at: int, d_h: Any, d_c: Any, deltas: Any, to: int
) -> None:
    """The deltas of the gates from d_h, which becomes 0, and d_c, which becomes that of c_{t-1}."""
    one, zero = splat(types.float32(1)), splat(types.float32(0))
    for v in range(0, width, 16):
        i, f = load(kept, at + v), load(kept, at + width + v)
        g, o = load(kept, at + 2 * width + v), load(kept, at + 3 * width + v)
        tanh_c, h = load(tanhs, tanhs_at + v), load(d_h, v)
        c_before = zero
        if not first:
            c_before = load(kept, at - width + v)
        c = fma(mul(h, o), sub(one, mul(tanh_c, tanh_c)), load(d_c, v))
        store(d_c, v, mul(c, f))
        store(d_h, v, zero)
        store(deltas, to + v, mul(mul(c, g), mul(i, sub(one, i))))
        store(deltas, to + width + v, mul(mul(c, c_before), mul(f, sub(one, f))))
        store(deltas, to + 2 * width + v, mul(mul(c, i), sub(one, mul(g, g))))
        store(deltas, to + 3 * width + v, mul(mul(h, tanh_c), mul(o, sub(one, o))))
