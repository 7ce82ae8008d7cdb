"""Products of a weight matrix with 16 windows at a time.

A matrix of weights is flat, row by row. A column of rows of windows is flat as well: row j of it are the 16 floats from
16 j on.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from ddrsa.models.kernels.vectors import fma, load, splat, store, total

_ARRAY = types.float32[::1]
_WEIGHTS, _SIZES = [_ARRAY] * 4, [types.intp] * 3
# The one signature of each pass of a layer: another would be compiled anew, in the middle of a training.
FORWARD = types.void(_ARRAY, types.boolean, *_WEIGHTS, *_SIZES, _ARRAY, _ARRAY)
BACKWARD = types.void(
    *(_ARRAY, types.boolean, _ARRAY, _ARRAY, *_SIZES, _ARRAY, _ARRAY, _ARRAY, types.boolean),
    *([_ARRAY] * 6),
)

# Rows whose sums stand in registers at once.
_ROWS = 8
_BLOCK = 4


@njit(nogil=True)
def add_product(weights: Any, first: int, width: int, source: Any, at: int, sums: Any, to: int, rows: int) -> None:
    """sums[g] += sum over j of weights[g, j] source[j], for `rows` rows of weights from `first`, each `width` long.

    at, to: where the source and the sums begin, in floats.
    """
    g = 0
    while g + _ROWS <= rows:
        a = to + g * 16
        s0, s1, s2, s3 = load(sums, a), load(sums, a + 16), load(sums, a + 32), load(sums, a + 48)
        s4, s5, s6, s7 = load(sums, a + 64), load(sums, a + 80), load(sums, a + 96), load(sums, a + 112)
        w = first + g * width
        for j in range(width):
            x = load(source, at + j * 16)
            s0 = fma(splat(weights[w + j]), x, s0)
            s1 = fma(splat(weights[w + width + j]), x, s1)
            s2 = fma(splat(weights[w + 2 * width + j]), x, s2)
            s3 = fma(splat(weights[w + 3 * width + j]), x, s3)
            s4 = fma(splat(weights[w + 4 * width + j]), x, s4)
            s5 = fma(splat(weights[w + 5 * width + j]), x, s5)
            s6 = fma(splat(weights[w + 6 * width + j]), x, s6)
            s7 = fma(splat(weights[w + 7 * width + j]), x, s7)
        store(sums, a, s0)
        store(sums, a + 16, s1)
        store(sums, a + 32, s2)
        store(sums, a + 48, s3)
        store(sums, a + 64, s4)
        store(sums, a + 80, s5)
        store(sums, a + 96, s6)
        store(sums, a + 112, s7)
        g += _ROWS
    while g < rows:
        s0 = load(sums, to + g * 16)
        for j in range(width):
            s0 = fma(splat(weights[first + g * width + j]), load(source, at + j * 16), s0)
        store(sums, to + g * 16, s0)
        g += 1


@njit(nogil=True)
def add_outer_product(
    gradient: Any,
    first: int,
    columns: int,
    deltas: Any,
    at: int,
    delta_step: int,
    rows: int,
    source: Any,
    source_at: int,
    source_step: int,
    steps: int,
) -> None:
    """gradient[g, j] += sum over steps and windows of deltas[step, g] source[step, j]: that of a matrix of weights.

    first, columns: where the gradient begins, and the length of its rows. at, source_at: where the first step's deltas
    and source begin; delta_step, source_step: how far one step is from the next, in floats.
    """
    zero = splat(types.float32(0))
    for g in range(0, rows, _BLOCK):
        for j in range(0, columns, _BLOCK):
            d, s = at + g * 16, source_at + j * 16
            if g + _BLOCK <= rows and j + _BLOCK <= columns:
                a0, a1, a2, a3 = zero, zero, zero, zero
                b0, b1, b2, b3 = zero, zero, zero, zero
                c0, c1, c2, c3 = zero, zero, zero, zero
                e0, e1, e2, e3 = zero, zero, zero, zero
                for _ in range(steps):
                    x0, x1, x2, x3 = load(source, s), load(source, s + 16), load(source, s + 32), load(source, s + 48)
                    y = load(deltas, d)
                    a0, a1, a2, a3 = fma(y, x0, a0), fma(y, x1, a1), fma(y, x2, a2), fma(y, x3, a3)
                    y = load(deltas, d + 16)
                    b0, b1, b2, b3 = fma(y, x0, b0), fma(y, x1, b1), fma(y, x2, b2), fma(y, x3, b3)
                    y = load(deltas, d + 32)
                    c0, c1, c2, c3 = fma(y, x0, c0), fma(y, x1, c1), fma(y, x2, c2), fma(y, x3, c3)
                    y = load(deltas, d + 48)
                    e0, e1, e2, e3 = fma(y, x0, e0), fma(y, x1, e1), fma(y, x2, e2), fma(y, x3, e3)
                    d += delta_step
                    s += source_step
                _add_row(gradient, first + g * columns + j, a0, a1, a2, a3)
                _add_row(gradient, first + (g + 1) * columns + j, b0, b1, b2, b3)
                _add_row(gradient, first + (g + 2) * columns + j, c0, c1, c2, c3)
                _add_row(gradient, first + (g + 3) * columns + j, e0, e1, e2, e3)
            else:
                for p in range(g, min(g + _BLOCK, rows)):
                    for q in range(j, min(j + _BLOCK, columns)):
                        summed = zero
                        for step in range(steps):
                            y = load(deltas, at + step * delta_step + p * 16)
                            summed = fma(y, load(source, source_at + step * source_step + q * 16), summed)
                        gradient[first + p * columns + q] += total(summed)


@njit(inline="always")
def _add_row(gradient: Any, at: int, a: Any, b: Any, c: Any, d: Any) -> None:
    gradient[at] += total(a)
    gradient[at + 1] += total(b)
    gradient[at + 2] += total(c)
    gradient[at + 3] += total(d)
