"""Vectors of 16 floats as a type of numba: one lane per window, whatever the width of the processor's registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 16

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


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    function = cgutils.get_or_insert_function(builder.module, _FUSED, f"llvm.fma.v{LANES}f32")
    return builder.call(function, [a, b, c])


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    pointer = builder.gep(context.make_array(kind)(context, builder, array).data, [index])
    return builder.bitcast(pointer, _FLOATS.as_pointer())


@intrinsic
def splat(typing: Any, value: Any) -> Any:  # noqa: ARG001
    """The float32 `value` in all lanes."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        first = builder.insert_element(undefined, arguments[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, undefined, ir.Constant(_INTEGERS, [0] * LANES))

    return vector(types.float32), generate


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:  # noqa: ARG001
    """The 16 floats of a flat, contiguous array of float32 that begin at `index`. Not checked against its end."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(_place(context, builder, signature.args[0], *arguments))
        loaded.align = 4
        return loaded

    return vector(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:  # noqa: ARG001
    """Put a vector where `load` finds it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        stored = builder.store(arguments[2], _place(context, builder, signature.args[0], *arguments[:2]))
        stored.align = 4
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:  # noqa: ARG001
    """a * b + c, rounded once."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _fused(builder, *arguments)

    return vector(vector, vector, vector), generate


def _operation(instruction: str) -> Callable[..., Any]:
    @intrinsic
    def operation(typing: Any, a: Any, b: Any) -> Any:  # noqa: ARG001
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return vector(vector, vector), generate

    return operation


add, sub, mul, div = map(_operation, ("fadd", "fsub", "fmul", "fdiv"))


@intrinsic
def expm1(typing: Any, x: Any) -> Any:  # noqa: ARG001
    """e^x - 1, with all its digits where x is small.

    e^x = 2^k 2^f of the whole number k nearest to x log2(e): k goes into the exponent's bits, 2^f - 1 is a polynomial.
    x is taken to lie within +-87, where e^x is a normal float32. That of a NaN is NaN.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        scaled = builder.fmul(arguments[0], _constant(_LOG2_E))
        for compare, bound in ((">", _constant(_LARGEST_EXPONENT)), ("<", _constant(-_LARGEST_EXPONENT))):
            beyond = builder.fcmp_ordered(compare, scaled, bound)
            scaled = builder.select(beyond, bound, scaled)  # a NaN is beyond nothing
        whole = builder.fsub(builder.fadd(scaled, _constant(_ROUNDER)), _constant(_ROUNDER))
        fraction = builder.fsub(scaled, whole)
        power = _constant(_EXP2[0])
        for coefficient in _EXP2[1:-1]:
            power = _fused(builder, power, fraction, _constant(coefficient))
        power = builder.fmul(power, fraction)
        biased = builder.add(builder.fptosi(whole, _INTEGERS), ir.Constant(_INTEGERS, [127] * LANES))
        scale = builder.bitcast(builder.shl(biased, ir.Constant(_INTEGERS, [23] * LANES)), _FLOATS)
        return _fused(builder, power, scale, builder.fsub(scale, _constant(1.0)))

    return vector(vector), generate


@intrinsic
def total(typing: Any, a: Any) -> Any:  # noqa: ARG001
    """The sum of the lanes, always in the same order."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        summed, undefined, step = arguments[0], ir.Constant(_FLOATS, ir.Undefined), LANES // 2
        while step:
            turned = ir.Constant(_INTEGERS, [(lane + step) % LANES for lane in range(LANES)])
            summed = builder.fadd(summed, builder.shuffle_vector(summed, undefined, turned))
            step //= 2
        return builder.extract_element(summed, ir.Constant(ir.IntType(32), 0))

    return types.float32(vector), generate


@njit(inline="always")
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return div(splat(types.float32(1)), add(splat(types.float32(2)), expm1(sub(splat(types.float32(0)), x))))


@njit(inline="always")
def tanh(x: Any) -> Any:
    """(e^2x - 1) / (e^2x + 1)."""
    exponential = expm1(add(x, x))
    return div(exponential, add(exponential, splat(types.float32(2))))
