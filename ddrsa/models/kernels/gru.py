"""A step of a GRU for the 32 windows of a tile, forward and backward.

With r, z the gates of PyTorch's GRU: q = U_n h_{t-1} + b_hn, n = tanh(W_n x + b_in + r q), h_t = (1 - z) n + z h_{t-1}.
Gates are in PyTorch's order r, z, n.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from ddrsa.models.kernels.vectors import add, fma, load, mul, sigmoid, splat, store, sub, tanh

GATES = 3
# Of each unit and step, for the backward pass: r, z, n, q, h.
KEPT = 5
# Rows of deltas of each unit and step, q, r, z, n: those of the state's side are the first three, of the input's the
# last.
DELTAS = 4
# Whether the last gate's rows stand before the first one's on the state's side.
TURNED = True


@njit(inline="always")
def step(of_input: Any, of_state: Any, width: int, kept: Any, at: int, states: Any, before: int, to: int) -> None:
    """h_t from the sums of both sides (3, width) and h_{t-1}; width: the floats of all units."""
    for v in range(0, width, 16):
        r = sigmoid(add(load(of_input, v), load(of_state, v)))
        z = sigmoid(add(load(of_input, width + v), load(of_state, width + v)))
        q = load(of_state, 2 * width + v)
        n = tanh(fma(r, q, load(of_input, 2 * width + v)))
        h = fma(z, sub(load(states, before + v), n), n)
        store(states, to + v, h)
        store(kept, at + v, r)
        store(kept, at + width + v, z)
        store(kept, at + 2 * width + v, n)
        store(kept, at + 3 * width + v, q)
        store(kept, at + 4 * width + v, h)


@njit(inline="always")
def rebuild(width: int, kept: Any, at: int, states: Any, to: int) -> None:
    """h_t from what is kept."""
    for v in range(0, width, 16):
        store(states, to + v, load(kept, at + 4 * width + v))


@njit(inline="always")
def step_back(width: int, kept: Any, at: int, states: Any, before: int, d_h: Any, deltas: Any, to: int) -> None:
    """The deltas of q and the gates from d_h, which becomes the part of that of h_{t-1} that goes by no gate."""
    one = splat(types.float32(1))
    for v in range(0, width, 16):
        r, z = load(kept, at + v), load(kept, at + width + v)
        n, q = load(kept, at + 2 * width + v), load(kept, at + 3 * width + v)
        h = load(d_h, v)
        d_n = mul(mul(h, sub(one, z)), sub(one, mul(n, n)))
        store(d_h, v, mul(h, z))
        store(deltas, to + v, mul(d_n, r))
        store(deltas, to + width + v, mul(mul(d_n, q), mul(r, sub(one, r))))
        store(deltas, to + 2 * width + v, mul(mul(h, sub(load(states, before + v), n)), mul(z, sub(one, z))))
        store(deltas, to + 3 * width + v, d_n)
