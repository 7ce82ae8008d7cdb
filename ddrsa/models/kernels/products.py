"""Products of a weight matrix with the 32 windows of a tile.

A matrix of weights is packed: 8 rows at a time, and of each column of them the 8 numbers side by side (`packing.py`).
Row j of a tile are the 32 floats from 32 j on.
"""

# ruff: noqa: ARG001  (an intrinsic is called with types, and names them)

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ddrsa.models.kernels.vectors import LANES, TILE, add, fused, load, place, splat, spread_ir, store

# Rows whose sums stand in registers at once, for both halves of a tile; and the sides of a block of an outer product.
ROWS = 8
_SIDE = 4
_INDEX = ir.IntType(64)


class _Memory:
    """Vectors of the arrays among the arguments of an intrinsic, by the number of the argument and the place."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder, self.signature, self.arguments = context, builder, signature, arguments

    def _pointer(self, array: int, at: Any) -> Any:
        return place(self.context, self.builder, self.signature.args[array], self.arguments[array], at)

    def load(self, array: int, at: Any, offset: int) -> Any:
        loaded = self.builder.load(self._pointer(array, self.builder.add(at, ir.Constant(_INDEX, offset))))
        loaded.align = 4
        return loaded

    def store(self, array: int, at: Any, offset: int, value: Any) -> None:
        stored = self.builder.store(value, self._pointer(array, self.builder.add(at, ir.Constant(_INDEX, offset))))
        stored.align = 4


def _times(builder: Any, number: Any, factor: int) -> Any:
    return builder.mul(number, ir.Constant(_INDEX, factor))


@intrinsic
def _multiply(
    typing: Any, packed: Any, w: Any, width: Any, source: Any, at: Any, begin: Any, begin_at: Any, result: Any, to: Any
) -> Any:  # fmt: skip
    """8 rows of `product`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory = _Memory(context, builder, signature, arguments)
        _, w, width, _, at, _, begin_at, _, to = arguments
        places = [row * TILE + half for row in range(ROWS) for half in (0, LANES)]
        sums = [cgutils.alloca_once_value(builder, memory.load(5, begin_at, offset)) for offset in places]
        with cgutils.for_range(builder, width) as loop:
            row_of_source = builder.add(at, _times(builder, loop.index, TILE))
            halves = [memory.load(3, row_of_source, offset) for offset in (0, LANES)]
            first = builder.add(w, _times(builder, loop.index, ROWS))
            for number, each in enumerate(sums):
                if number % 2 == 0:
                    index = builder.add(first, ir.Constant(_INDEX, number // 2))
                    weight = spread_ir(context, builder, signature.args[0], arguments[0], index)
                builder.store(fused(builder, weight, halves[number % 2], builder.load(each)), each)
        for each, offset in zip(sums, places, strict=True):
            memory.store(7, to, offset, builder.load(each))
        return context.get_dummy_value()

    numbers = types.intp
    return types.void(packed, numbers, numbers, source, numbers, begin, numbers, result, numbers), generate


@intrinsic
def _multiply_outer(
    typing: Any, gradient: Any, to: Any, row: Any, deltas: Any, d: Any, delta_step: Any, source: Any, s: Any,
    source_step: Any, steps: Any,
) -> Any:  # fmt: skip
    """4 rows and columns of `add_outer_product`; row: how far one row of the gradient is from the next."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        memory = _Memory(context, builder, signature, arguments)
        _, to, row, _, d, delta_step, _, s, source_step, steps = arguments
        rows = [builder.add(to, _times(builder, row, number)) for number in range(_SIDE)]
        sums = [
            cgutils.alloca_once_value(builder, memory.load(0, at, column * LANES))
            for at in rows
            for column in range(_SIDE)
        ]
        with cgutils.for_range(builder, steps) as loop:
            delta_at = builder.add(d, builder.mul(loop.index, delta_step))
            source_at = builder.add(s, builder.mul(loop.index, source_step))
            for half in (0, LANES):
                columns = [memory.load(6, source_at, column * TILE + half) for column in range(_SIDE)]
                for number in range(_SIDE):
                    delta = memory.load(3, delta_at, number * TILE + half)
                    for column in range(_SIDE):
                        each = sums[number * _SIDE + column]
                        builder.store(fused(builder, delta, columns[column], builder.load(each)), each)
        for number, each in enumerate(sums):
            memory.store(0, rows[number // _SIDE], number % _SIDE * LANES, builder.load(each))
        return context.get_dummy_value()

    numbers = types.intp
    arguments = (gradient, numbers, numbers, deltas, numbers, numbers, source, numbers, numbers, numbers)
    return types.void(*arguments), generate


@njit(nogil=True)
def product(
    packed: Any, first: int, width: int, source: Any, at: int, begin: Any, begin_at: int, result: Any, to: int,
    rows: int,
) -> None:  # fmt: skip
    """result[g] = begin[g] + sum over j of weights[g, j] source[j], of `rows` rows, a multiple of 8.

    first: where the weights begin, each row of them `width` long. at, begin_at, to: where the others begin, in floats.
    """
    for row in range(0, rows, ROWS):
        _multiply(packed, first + row * width, width, source, at, begin, begin_at + row * 32, result, to + row * 32)


@njit(nogil=True)
def add_outer_product(
    gradient: Any, first: int, columns: int, deltas: Any, at: int, delta_step: int, rows: int, source: Any,
    source_at: int, source_step: int, steps: int,
) -> None:  # fmt: skip
    """gradient[g, j] += sum over steps of deltas[step, g] source[step, j], lane by lane, one half of the tile on top
    of the other.

    rows: a multiple of 4. columns: of the source, in the gradient a multiple of 4; up to 3 rows of what lies behind the
    source's are read as well, and fill them up. first: where the gradient begins. at, source_at: where the first step's
    deltas and source begin; delta_step, source_step: how far one step is from the next, in floats.
    """
    wide = (columns + 3) // 4 * 4
    for g in range(0, rows, 4):
        for j in range(0, wide, 4):
            _multiply_outer(
                *(gradient, first + (g * wide + j) * 16, wide * 16, deltas, at + g * 32, delta_step),
                *(source, source_at + j * 32, source_step, steps),
            )


@njit(nogil=True)
def add_rows(sums: Any, deltas: Any, step: int, count: int, steps: int) -> None:
    """sums += the sum over steps of the `count` vectors of deltas; step: how far one step is from the next."""
    for v in range(0, count * 16, 16):
        summed = load(sums, v)
        for t in range(steps):
            summed = add(summed, load(deltas, t * step + v))
        store(sums, v, summed)


@njit(nogil=True)
def clear(array: Any, at: int, count: int) -> None:
    """Put 0 at `count` places from `at` on, a multiple of 16."""
    zero = splat(types.float32(0))
    for v in range(at, at + count, 16):
        store(array, v, zero)
