"""Median of 5x5, compiled: a network of minima and maxima that neighbours share.

Two rows of medians at a time. Their windows have 4 x 5 pixels in common, of which only the 6 in the
middle of the order can matter; each median is then the middle of these 6 and its own 5 others. The
sorted columns and the merged pairs of columns serve several windows. All merging is Batcher's
odd-even merge (1968). Per median and pixel this takes about 80 minima and maxima instead of 200.
"""

from typing import Any

import numpy as np
from numba import float32, njit, uint64

from pipeline.flow.numba_llvm import writes_do_not_overlap

TILE = 128
WIDE = TILE + 16  # floats from one row of scratch to the next; a constant, so that loops vectorise
BLOCK = 16
KERNEL = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **KERNEL)
def _merge_2(a: Any, b: Any) -> Any:
    """Merges two sorted pairs."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return min(a[0], b[0]), min(low, high), max(low, high), max(a[1], b[1])


@njit(forceinline=True, **KERNEL)
def _merge_4(a: Any, b: Any) -> Any:
    """Merges two sorted fours."""
    p = _merge_2((a[0], a[2]), (b[0], b[2]))
    q = _merge_2((a[1], a[3]), (b[1], b[3]))
    middle = min(p[1], q[0]), max(p[1], q[0]), min(p[2], q[1]), max(p[2], q[1])
    return p[0], *middle, min(p[3], q[2]), max(p[3], q[2]), q[3]


@njit(forceinline=True, **KERNEL)
def _middle_10_of_8_8(a: Any, b: Any) -> Any:
    """Merges two sorted eights and leaves out the 3 lowest and the 3 highest."""
    p = _merge_4((a[0], a[2], a[4], a[6]), (b[0], b[2], b[4], b[6]))
    q = _merge_4((a[1], a[3], a[5], a[7]), (b[1], b[3], b[5], b[7]))
    return (
        *(min(p[2], q[1]), max(p[2], q[1]), min(p[3], q[2]), max(p[3], q[2])),
        *(min(p[4], q[3]), max(p[4], q[3]), min(p[5], q[4]), max(p[5], q[4])),
        *(min(p[6], q[5]), max(p[6], q[5])),
    )
