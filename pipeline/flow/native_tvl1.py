"""TV-L1 optical flow in C++, for any number of threads or processes; a pair of frames takes one.

`exact` rounds as OpenCV does, operation by operation, and gives the flow of `numba_tvl1` to the
last bit. `fast` does in float32, and with fused operations, what OpenCV does in float64 or rounds
twice: its flow differs from OpenCV's by about as much as OpenCV's own differs after a change in the
last bit of the frames.
"""

import ctypes
from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache

import numpy as np

from pipeline.errors import UserError
from pipeline.flow import native_build
from pipeline.flow.native_build import Rounding
from pipeline.flow.parameters import TVL1

ROUNDING: dict[str, Rounding] = {"native": "exact", "fast": "fast"}  # of implementations


class _Parameters(ctypes.Structure):
    _fields_ = [
        (field.name, ctypes.c_double if field.type is float else ctypes.c_int)
        for field in fields(TVL1)
    ]


def tvl1(
    first: np.ndarray,
    second: np.ndarray,
    parameters: TVL1,
    rounding: Rounding = "exact",
    instructions: str | None = None,
) -> np.ndarray:
    """Computes the flow (u, v) from `first` to `second`: first[y, x] is found at second[y+v, x+u].

    Args:
        first: uint8 (h, w), grey.
        second: the same, of the same size.
        parameters: of the algorithm.
        rounding: as above.
        instructions: one of `native_build.instruction_sets`, the best if not given.

    Returns:
        float32 (2, h, w), px: u to the right, v down.

    Raises:
        UserError: The code cannot be compiled or loaded.
        MemoryError: There is not enough memory.
    """
    frames = np.stack([first, second])
    flow = np.empty(frames.shape, np.float32)
    values = _Parameters(*(getattr(parameters, field.name) for field in fields(TVL1)))
    failed = _function(instructions or _best_instructions(), rounding)(
        frames.ctypes.data, *first.shape, ctypes.byref(values), flow.ctypes.data
    )
    if failed:
        raise MemoryError(f"not enough memory for the flow of frames of {first.shape}")
    return flow


def compile_ahead(rounding: Rounding = "exact") -> None:
    """Compiles what is not compiled yet, so that workers started later need not.

    Raises:
        UserError: The code cannot be compiled or loaded.
    """
    _function(_best_instructions(), rounding)


@lru_cache
def _best_instructions() -> str:
    return native_build.instruction_sets()[0]


@lru_cache
def _function(instructions: str, rounding: Rounding) -> Callable[..., int]:
    path = native_build.library(instructions, rounding)
    try:
        function = ctypes.CDLL(str(path)).tvl1_flow
    except OSError as error:
        raise UserError(
            f"flow by 'native': the compiled code cannot be loaded ({error}); "
            f"delete {path}, or {native_build.REMEDY}"
        ) from None
    function.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    function.argtypes += [ctypes.POINTER(_Parameters), ctypes.c_void_p]
    function.restype = ctypes.c_int
    return function
