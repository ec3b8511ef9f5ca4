"""What the compiled loops of the TV-L1 flow are made with: decorators, and steps of LLVM.

Numba's cache of compiled code does not see changes in this file: after one, touch the files that
import it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir
from numba import extending, njit, types
from numba.core import cgutils

Lowering = tuple[Any, Callable[..., Any]]

kernel: Any = partial(njit, nogil=True, error_model="numpy")
inlined: Any = partial(njit, nogil=True, error_model="numpy", forceinline=True)
intrinsic: Any = extending.intrinsic


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Lowering:
    """Returns a * b + c for float32, rounded once; OpenCV's vector code adds so."""

    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        scalar = ir.FloatType()
        kind = ir.FunctionType(scalar, [scalar] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.f32")
        return builder.call(function, arguments)

    return types.float32(types.float32, types.float32, types.float32), lower


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
