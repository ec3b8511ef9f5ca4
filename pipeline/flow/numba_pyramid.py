"""Bilinear resizing, compiled, in the rounding of OpenCV on x86."""

from typing import Any

import numpy as np
from numba import uint64

from pipeline.flow.numba_kernel import fma, kernel, writes_do_not_overlap


@kernel
def _places(count: int, size: int, scale: float) -> Any:
    """Returns for each of `count` outputs the two pixels (of `size`) it lies between, and where."""
    low, high = np.empty(count, np.int64), np.empty(count, np.int64)
    weights = np.empty(count, np.float32)
    for k in range(count):
        place = (k + 0.5) * scale - 0.5
        before = int(np.floor(place))
        weights[k] = place - before
        if scale > 1 and before > size - 2:  # OpenCV goes all the way from the last pixel but one
            before, weights[k] = size - 2, 1
        low[k], high[k] = max(before, 0), min(before + 1, size - 1)
    return low, high, weights


@kernel
def _across(row: Any, places: Any, out: Any) -> None:
    writes_do_not_overlap()
    low, high, weights = places
    for x in range(out.size):
        left = row[low[x]]
        out[x] = fma(weights[x], row[high[x]] - left, left)


@kernel
def _down(upper: Any, lower: Any, weight: Any, gain: Any, out: Any) -> None:
    writes_do_not_overlap()
    for x in range(uint64(out.size)):
        out[x] = gain * fma(weight, lower[x] - upper[x], upper[x])


@kernel(cache=True)
def resize(
    image: np.ndarray, shape: tuple[int, int], scale: tuple[float, float], gain: np.float32
) -> np.ndarray:
    """Resizes an image bilinearly, without smoothing; pixel centres lie at half integers.

    Args:
        image: float32 (h, w).
        shape: height and width of the result, at least 2 where `scale` shrinks.
        scale: pixels of `image` a pixel of the result, down and across.
        gain: what the result is multiplied by.

    Returns:
        float32 of `shape`.
    """
    height, width = shape
    out = np.empty((height, width), np.float32)
    upper, lower = np.empty(width, np.float32), np.empty(width, np.float32)
    above, below, weights = _places(height, image.shape[0], scale[0])
    across = _places(width, image.shape[1], scale[1])
    for y in range(height):
        _across(image[above[y]], across, upper)
        _across(image[below[y]], across, lower)
        _down(upper, lower, weights[y], gain, out[y])
    return out
