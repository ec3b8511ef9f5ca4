"""Three operations that Python cannot express, for the compiled loops of the TV-L1 flow.

Numba's cache of compiled code does not see changes in this file: after one, touch the files that
import it.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

Lowering = tuple[Any, Callable[..., Any]]


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Lowering:
    """Returns a * b + c for float32, rounded once, as OpenCV's own vector code rounds it."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        scalar = ir.FloatType()
        kind = ir.FunctionType(scalar, [scalar] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.f32")
        return builder.call(function, arguments)

    return types.float32(types.float32, types.float32, types.float32), lower


@intrinsic
def add_square(typing_context: Any, total: Any, x: Any) -> Lowering:
    """Returns total + x * x for float32; the order of a sum of these is free, so it vectorises."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        total, x = arguments
        free = ("contract", "nsz", "reassoc")
        return builder.fadd(total, builder.fmul(x, x, flags=free), flags=free)

    return types.float32(types.float32, types.float32), lower


@intrinsic
def writes_do_not_overlap(typing_context: Any) -> Lowering:
    """Promises that no float32 written by this call through one argument is touched by another.

    One array may be passed twice, as the row to write and the row to read. Without the promise,
    LLVM compares the bounds of 20 pointers before each row, or does not vectorise at all.
    """

    def lower(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        for argument in builder.function.args:
            if argument.type == ir.FloatType().as_pointer():
                argument.add_attribute("noalias")
        return context.get_dummy_value()

    return types.void(), lower


@intrinsic
def weighted_sum_of_4x4(
    typing_context: Any, table: Any, start: Any, stride: Any, weights: Any, x: Any, out: Any
) -> Lowering:
    """Writes out[4 x + k] = sum over r, c of wy[r] * wx[c] * table[start + r stride + 4 c + k].

    k = 0 to 3 are the lanes of one vector. Numba does not vectorise straight-line code.

    Args:
        table, weights, out: flat float32 arrays; weights holds, one after the other, the rows
            wx[0] to wx[3] and wy[0] to wy[3], each as long as out / 4.
        start, stride, x: unsigned 64-bit integers.
    """

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = ir.VectorType(ir.FloatType(), 4)
        kind = ir.FunctionType(lanes, [lanes] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v4f32")
        _, start, stride, _, x, _ = arguments
        table, weights, out = (
            context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 3, 5)
        )

        def constant(value: int) -> Any:
            return ir.Constant(start.type, value)

        def vector_at(array: Any, index: Any) -> Any:
            return builder.bitcast(builder.gep(array.data, [index]), lanes.as_pointer())

        def spread_weight(k: int) -> Any:
            row = builder.mul(builder.udiv(weights.nitems, constant(8)), constant(k))
            weight = builder.load(builder.gep(weights.data, [builder.add(row, x)]))
            empty = ir.Constant(lanes, ir.Undefined)
            filled = builder.insert_element(empty, weight, ir.IntType(32)(0))
            return builder.shuffle_vector(filled, empty, ir.Constant(ir.VectorType(ir.IntType(32), 4), [0] * 4))

        def sum_of_4(weights: list[Any], vectors: list[Any]) -> Any:
            total = builder.fmul(vectors[0], weights[0])
            for weight, vector in zip(weights[1:], vectors[1:], strict=True):
                total = builder.call(fused, [vector, weight, total])
            return total

        wx, wy = ([spread_weight(k) for k in range(first, first + 4)] for first in (0, 4))
        rows = []
        for r in range(4):
            row = builder.add(start, builder.mul(stride, constant(r)))
            places = [vector_at(table, builder.add(row, constant(4 * c))) for c in range(4)]
            rows.append(sum_of_4(wx, [builder.load(place, align=4) for place in places]))
        place = vector_at(out, builder.mul(x, constant(4)))
        builder.store(sum_of_4(wy, rows), place, align=4)
        return context.get_dummy_value()

    return types.void(*(table, types.uint64, types.uint64, weights, types.uint64, out)), lower
