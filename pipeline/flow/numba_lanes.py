"""Four channels of a pixel as one vector: Numba vectorises loops only, not straight-line code.

As with `numba_kernel`, touch the file that imports this one after changing it.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from pipeline.flow.numba_kernel import Lowering, intrinsic

FLOAT, INT32, INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
LANES = ir.VectorType(FLOAT, 4)


def _offset(builder: Any, start: Any, step: Any, count: int) -> Any:
    return builder.add(start, builder.mul(step, INT64(count)))


def _lanes_at(builder: Any, array: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(array.data, [index]), LANES.as_pointer())


def _spread(builder: Any, array: Any, index: Any) -> Any:
    """Reads one number into all lanes."""
    empty = ir.Constant(LANES, ir.Undefined)
    number = builder.load(builder.gep(array.data, [index]))
    lane_0 = builder.insert_element(empty, number, INT32(0))
    return builder.shuffle_vector(lane_0, empty, ir.Constant(ir.VectorType(INT32, 4), [0] * 4))


def _dot(builder: Any, weights: list[Any], vectors: list[Any]) -> Any:
    """Sums up the weighted vectors in their order, each addition fused with its product."""
    kind = ir.FunctionType(LANES, [LANES] * 3)
    fused = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v4f32")
    total = builder.fmul(vectors[0], weights[0])
    for weight, vector in zip(weights[1:], vectors[1:], strict=True):
        total = builder.call(fused, [vector, weight, total])
    return total


@intrinsic
def weighted_sum_of_4x4(
    typing_context: Any, table: Any, where: Any, weights: Any, x: Any, out: Any
) -> Lowering:
    """Sums up 4 x 4 pixels of 4 channels: the 4 of a row by wx, then the 4 rows by wy.

    Writes out[4 x + k] = sum over r of wy[r] sum over c of wx[c] table[start + r stride + 4 c + k].

    Args:
        typing_context: Numba's; not given by the caller.
        table: flat float32, 4 channels a pixel.
        where: start and stride, uint64.
        weights: flat float32: 8 rows of equal length, wx[0] to wx[3] and wy[0] to wy[3].
        x: uint64, which column of `weights` and which pixel of `out`.
        out: flat float32, 4 channels a pixel.
    """

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, weights, out = (
            context.make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 2, 4)
        )
        start, stride = cgutils.unpack_tuple(builder, arguments[1])
        x = arguments[3]
        length = builder.udiv(weights.nitems, INT64(8))
        w = [_spread(builder, weights, _offset(builder, x, length, k)) for k in range(8)]
        rows = []
        for r in range(4):
            row = _offset(builder, start, stride, r)
            places = [_offset(builder, row, INT64(4), c) for c in range(4)]
            pixels = [builder.load(_lanes_at(builder, table, p), align=4) for p in places]
            rows.append(_dot(builder, w[:4], pixels))
        place = _lanes_at(builder, out, builder.mul(x, INT64(4)))
        builder.store(_dot(builder, w[4:], rows), place, align=4)
        return context.get_dummy_value()

    return types.void(table, where, weights, types.uint64, out), lower
