"""Vectors of 16 floats as a type of numba: one lane per window, whatever the width of the processor's registers.

Two of them side by side are a row of the 32 windows of a tile.
"""

# ruff: noqa: ARG001  (an intrinsic is called with types, and names them)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16
TILE = 2 * LANES

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), LANES)
_FUSED = ir.FunctionType(_FLOATS, [_FLOATS] * 3)

# exp2 on [-1/2, 1/2]: the Taylor coefficients ln(2)^n / n!, the highest first; the error is below 2e-7.
_EXP2 = (
    *(1.5403530393381608e-4, 1.3333558146428443e-3, 9.618129107628477e-3, 5.550410866482158e-2),
    *(0.24022650695910072, 0.6931471805599453, 1.0),
)
_LOG2_E = 1.4426950408889634
# Added to a float and taken away again, it rounds to a whole number: 1.5 * 2^23.
_ROUNDER = 12582912.0
# exp of more would overflow to infinity, of less become a number without all its digits.
_LARGEST_EXPONENT = 126.0


class _VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="float32x16")


vector = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [value] * LANES)


def _everywhere(builder: Any, kind: ir.VectorType, value: Any) -> Any:
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INTEGERS, [0] * LANES))


def spread_ir(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """The code of `spread`."""
    pointer = builder.gep(context.make_array(kind)(context, builder, array).data, [index])
    return _everywhere(builder, _FLOATS, builder.load(pointer))


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """The code of `fma`."""
    function = cgutils.get_or_insert_function(builder.module, _FUSED, f"llvm.fma.v{LANES}f32")
    return builder.call(function, [a, b, c])


def place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """A pointer to the vector in `array` that begins at `index`."""
    pointer = builder.gep(context.make_array(kind)(context, builder, array).data, [index])
    return builder.bitcast(pointer, _FLOATS.as_pointer())


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """The float32 `value` in all lanes."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _everywhere(builder, _FLOATS, arguments[0])

    return vector(types.float32), generate


@intrinsic
def spread(typing: Any, array: Any, index: Any) -> Any:
    """The one float of a flat array of float32 at `index` in all lanes. Not checked against the array's end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return spread_ir(context, builder, signature.args[0], *arguments)

    return vector(array, types.intp), generate


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The 16 floats of a flat, contiguous array of float32 that begin at `index`. Not checked against its end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(place(context, builder, signature.args[0], *arguments))
        loaded.align = 4
        return loaded

    return vector(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Put a vector where `load` finds it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        stored = builder.store(arguments[2], place(context, builder, signature.args[0], *arguments[:2]))
        stored.align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return fused(builder, *arguments)

    return vector(vector, vector, vector), generate


def _operation(instruction: str) -> Callable[..., Any]:
    @intrinsic
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return vector(vector, vector), generate

    return operation


add, sub, mul = map(_operation, ("fadd", "fsub", "fmul"))


def _expm1(builder: Any, x: Any) -> Any:
    """e^x - 1, with all its digits where x is small.

    e^x = 2^k 2^f of the whole number k nearest to x log2(e): k goes into the exponent's bits, 2^f - 1 is a polynomial.
    x is taken to lie within +-87, where e^x is a normal float32. That of a NaN is NaN.
    """
    scaled = builder.fmul(x, _constant(_LOG2_E))
    for compare, bound in ((">", _constant(_LARGEST_EXPONENT)), ("<", _constant(-_LARGEST_EXPONENT))):
        beyond = builder.fcmp_ordered(compare, scaled, bound)
        scaled = builder.select(beyond, bound, scaled)  # a NaN is beyond nothing
    whole = builder.fsub(builder.fadd(scaled, _constant(_ROUNDER)), _constant(_ROUNDER))
    fraction = builder.fsub(scaled, whole)
    power = _constant(_EXP2[0])
    for coefficient in _EXP2[1:-1]:
        power = fused(builder, power, fraction, _constant(coefficient))
    power = builder.fmul(power, fraction)
    biased = builder.add(builder.fptosi(whole, _INTEGERS), ir.Constant(_INTEGERS, [127] * LANES))
    scale = builder.bitcast(builder.shl(biased, ir.Constant(_INTEGERS, [23] * LANES)), _FLOATS)
    return fused(builder, power, scale, builder.fsub(scale, _constant(1.0)))


# A quotient by the processor's estimate of the reciprocal and a step of Newton's: to the last digit but one, in a third
# of the time.
_ESTIMATED = ("arcp",)


@intrinsic
def sigmoid(typing: Any, x: Any) -> Any:
    """1 / (1 + e^-x)."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        power = _expm1(builder, builder.fneg(arguments[0]))
        return builder.fdiv(_constant(1.0), builder.fadd(power, _constant(2.0)), flags=_ESTIMATED)

    return vector(vector), generate


@intrinsic
def tanh(typing: Any, x: Any) -> Any:
    """(e^2x - 1) / (e^2x + 1)."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        power = _expm1(builder, builder.fadd(arguments[0], arguments[0]))
        return builder.fdiv(power, builder.fadd(power, _constant(2.0)), flags=_ESTIMATED)

    return vector(vector), generate


@intrinsic
def total(typing: Any, a: Any) -> Any:
    """The sum of the lanes, always in the same order."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        summed, undefined, step = arguments[0], ir.Constant(_FLOATS, ir.Undefined), LANES // 2
        while step:
            turned = ir.Constant(_INTEGERS, [(lane + step) % LANES for lane in range(LANES)])
            summed = builder.fadd(summed, builder.shuffle_vector(summed, undefined, turned))
            step //= 2
        return builder.extract_element(summed, ir.Constant(ir.IntType(32), 0))

    return types.float32(vector), generate


@intrinsic
def transpose(typing: Any, source: Any, source_at: Any, target: Any, target_at: Any) -> Any:
    """Put element j of the 16 floats from source[source_at[i]] on at target[target_at[j] + i], for i and j below 16.

    source_at, target_at: 16 places each, of int64. Not checked against the arrays' ends.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def index(which: int, number: int) -> Any:
            array = context.make_array(signature.args[which])(context, builder, arguments[which])
            return builder.load(builder.gep(array.data, [ir.Constant(ir.IntType(64), number)]))

        rows = []
        for number in range(LANES):
            loaded = builder.load(place(context, builder, signature.args[0], arguments[0], index(1, number)))
            loaded.align = 4
            rows.append(loaded)
        # Swap bit by bit of the two numbers, the row's and the lane's.
        for bit in (1, 2, 4, 8):
            low = [lane if not lane & bit else LANES + lane - bit for lane in range(LANES)]
            high = [lane + bit if not lane & bit else LANES + lane for lane in range(LANES)]
            low_mask, high_mask = ir.Constant(_INTEGERS, low), ir.Constant(_INTEGERS, high)
            for number in range(LANES):
                if not number & bit:
                    a, b = rows[number], rows[number + bit]
                    rows[number] = builder.shuffle_vector(a, b, low_mask)
                    rows[number + bit] = builder.shuffle_vector(a, b, high_mask)
        for number, row in enumerate(rows):
            stored = builder.store(row, place(context, builder, signature.args[2], arguments[2], index(3, number)))
            stored.align = 4
        return context.get_dummy_value()

    return types.void(source, source_at, target, target_at), generate


@intrinsic
def drop(typing: Any, value: Any, number: Any, key: Any, threshold: Any, scale: Any) -> Any:
    """`value` times `scale` in the lanes that are kept, 0 in the others.

    A lane is kept where the hash of its number, counted on from `number`, is at or above `threshold`, of 2^32. The
    hash is a permutation of 32 bits (multiplications and shifts; Wellons, "Prospecting for hash functions", 2018:
    triple32) with the two halves of `key` (int64) mixed in before it and after its first multiplication.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        def everywhere(whole: Any) -> Any:
            return _everywhere(builder, _INTEGERS, builder.trunc(whole, ir.IntType(32)))

        def shifted(x: Any, by: int) -> Any:
            return builder.xor(x, builder.lshr(x, ir.Constant(_INTEGERS, [by] * LANES)))

        value, number, key, threshold, scale = arguments
        upper = builder.lshr(key, ir.Constant(ir.IntType(64), 32))
        x = builder.add(everywhere(number), ir.Constant(_INTEGERS, list(range(LANES))))
        x = shifted(builder.xor(x, everywhere(key)), 17)
        x = builder.mul(x, ir.Constant(_INTEGERS, [0xED5AD4BB] * LANES))
        x = shifted(builder.xor(x, everywhere(upper)), 11)
        x = shifted(builder.mul(x, ir.Constant(_INTEGERS, [0xAC4C1B51] * LANES)), 15)
        x = shifted(builder.mul(x, ir.Constant(_INTEGERS, [0x31848BAB] * LANES)), 14)
        kept = builder.icmp_unsigned(">=", x, everywhere(threshold))
        return builder.select(kept, builder.fmul(value, scale), _constant(0.0))

    return vector(vector, types.int64, types.int64, types.int64, vector), generate
