"""TV-L1 optical flow between two frames, and the 8-bit code it is kept in."""

from dataclasses import asdict
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from pipeline.errors import UserError
from pipeline.flow.parameters import TVL1, VARIANT, VERSION

__all__ = ["OPENCV_DEFAULTS", "TVL1", "VARIANT", "VERSION", "Implementation"]
__all__ += [
    "compile_ahead",
    "from_code",
    "provenance",
    "to_code",
    "tvl1",
    "usable",
]

Implementation = Literal["auto", "native", "fast", "numba", "cuda", "opencv"]
OPENCV_DEFAULTS = TVL1()


@lru_cache
def usable(implementation: Implementation) -> Implementation:
    """Returns the implementation itself; for "auto", "native" where it can be had, else "numba".

    These two give the same flow to the last bit. Compiles the C++ code where that is yet to be
    done; why a compiler fails is told in a line.
    """
    if implementation != "auto":
        return implementation
    from pipeline.flow import native_build, native_tvl1

    try:
        native_tvl1.compile_ahead()
    except native_build.NoCompilerError:
        return "numba"
    except UserError as fault:
        print(f"flow: continuing with 'numba', the same flow; {fault}", flush=True)
        return "numba"
    return "native"


def tvl1(
    first: np.ndarray,
    second: np.ndarray,
    *,
    implementation: Implementation = "auto",
    parameters: TVL1 = OPENCV_DEFAULTS,
) -> np.ndarray:
    """Computes the flow (u, v) from `first` to `second`: first[y, x] is found at second[y+v, x+u].

    Uses one thread. The same frames give the same bytes, whatever ran before.

    Args:
        first: uint8 (h, w), grey, at least 2 x 2.
        second: the same, of the same size.
        implementation: "native", in C++; "numba", the same flow without a C++ compiler; "auto", one
            of these two; "fast", in C++, which rounds less often than OpenCV; or "opencv", the
            reference, which takes more than ten times as long; or "cuda": on a GPU, for which
            `batches` has the way to compute many pairs at once.
        parameters: of the algorithm.

    Returns:
        float32 (2, h, w), px: u to the right, v down.

    Raises:
        ValueError: The frames are not two grey 8-bit images of one size.
        UserError: This OpenCV has no TV-L1, the C++ code cannot be compiled, or there is no GPU.
    """
    for frame in (first, second):
        if frame.dtype != np.uint8 or frame.ndim != 2 or min(frame.shape) < 2:
            raise ValueError(
                "optical flow needs grey frames, uint8 (h, w), h and w at least 2; "
                f"got {frame.dtype} {frame.shape}"
            )
    if first.shape != second.shape:
        raise ValueError(
            f"optical flow needs two frames of one size; got {first.shape} and {second.shape}"
        )
    chosen = usable(implementation)
    if chosen == "opencv":
        from pipeline.flow import opencv_reference

        return opencv_reference.tvl1(first, second, parameters)
    if chosen == "cuda":
        from pipeline.flow import batched_tvl1

        return batched_tvl1.tvl1(first, second, parameters)
    if chosen in ("native", "fast"):
        from pipeline.flow import native_tvl1

        rounding = native_tvl1.ROUNDING[chosen]
        return native_tvl1.tvl1(first, second, parameters, rounding)
    from pipeline.flow import numba_tvl1

    return numba_tvl1.tvl1(first, second, parameters)


def compile_ahead(implementation: Implementation = "auto") -> None:
    """Compiles what `tvl1` needs and fills the cache on disk, so that new workers need not.

    Raises:
        UserError: The C++ code cannot be compiled, and implementation is "native" or "fast".
    """
    chosen = usable(implementation)
    if chosen == "numba":
        from pipeline.flow import numba_tvl1

        numba_tvl1.compile_ahead()
    elif chosen in ("native", "fast"):
        from pipeline.flow import native_tvl1

        native_tvl1.compile_ahead(native_tvl1.ROUNDING[chosen])


def provenance(
    implementation: Implementation = "auto", parameters: TVL1 = OPENCV_DEFAULTS
) -> dict[str, Any]:
    """What decides the flow of given frames, for JSON and for fingerprints.

    It is the same for "native", "numba" and "auto", whose flow is the same; "fast" and "cuda" round
    otherwise and are variants of their own.

    Raises:
        UserError: implementation is "opencv", and this OpenCV has no TV-L1.
    """
    variant, version = VARIANT, str(VERSION)
    if implementation == "opencv":
        from pipeline.flow import opencv_reference

        variant, version = "opencv", opencv_reference.version()
    if implementation in ("fast", "cuda"):
        variant = f"{VARIANT}-{implementation}"
    return {"variant": variant, "version": version, "parameters": asdict(parameters)}


def implementation_of(variant: str) -> Implementation:
    """The implementation whose flow is of this variant, see `provenance`.

    Raises:
        ValueError: No implementation here gives such a flow.
    """
    known: dict[str, Implementation] = {
        VARIANT: "auto",
        f"{VARIANT}-fast": "fast",
        f"{VARIANT}-cuda": "cuda",
        "opencv": "opencv",
    }
    if variant not in known:
        raise ValueError(f"flow variant {variant!r}; known: {', '.join(known)}")
    return known[variant]


def to_code(flow: np.ndarray, bound: float) -> np.ndarray:
    """Codes flow in 8 bits: round(255 (v + bound) / (2 bound)), v clipped to +-bound.

    A step is 2 bound / 255, 0.157 px at 20. 0 px falls between two codes and becomes 128, which
    `from_code` reads as bound / 255, 0.078 px at 20: the I3D flow networks have seen it so.

    Args:
        flow: px, of any shape.
        bound: px, above 0.

    Returns:
        uint8, of the shape of `flow`.

    Raises:
        ValueError: bound is not above 0.
    """
    if not bound > 0:
        raise ValueError(f"the bound of a flow code must be above 0 px, got {bound}")
    return np.rint(127.5 + 127.5 * (np.clip(flow, -bound, bound) / bound)).astype(np.uint8)


def from_code(code: np.ndarray) -> np.ndarray:
    """Returns what an I3D flow network sees: code / 255 * 2 - 1, in units of the bound.

    Args:
        code: uint8, of any shape.

    Returns:
        float32 in [-1, 1], of the shape of `code`.
    """
    return code.astype(np.float32) / 255 * 2 - 1
