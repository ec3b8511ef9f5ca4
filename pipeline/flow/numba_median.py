"""Median of 5x5, compiled: a network of minima and maxima that neighbours share.

Two rows of medians at a time. Their windows have 4 x 5 pixels in common, of which only the 6 in the
middle of the order can matter; each median is then the middle of these 6 and its own 5 others. The
sorted columns and the merged pairs of columns serve several windows. All merging is Batcher's
odd-even merge (1968). Per median and pixel this takes about 80 minima and maxima instead of 200.
"""

from typing import Any

import numpy as np
from numba import uint64

from pipeline.flow.numba_kernel import inlined, kernel, writes_do_not_overlap

TILE = 128
WIDE = TILE + 16  # floats from one row of scratch to the next; a constant, so that loops vectorise
BLOCK = 16


@inlined
def _merge_2(a: Any, b: Any) -> Any:
    """Merges two sorted pairs."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return min(a[0], b[0]), min(low, high), max(low, high), max(a[1], b[1])


@inlined
def _merge_4(a: Any, b: Any) -> Any:
    """Merges two sorted fours."""
    p = _merge_2((a[0], a[2]), (b[0], b[2]))
    q = _merge_2((a[1], a[3]), (b[1], b[3]))
    middle = min(p[1], q[0]), max(p[1], q[0]), min(p[2], q[1]), max(p[2], q[1])
    return p[0], *middle, min(p[3], q[2]), max(p[3], q[2]), q[3]


@inlined
def _middle_10_of_8_8(a: Any, b: Any) -> Any:
    """Merges two sorted eights and leaves out the 3 lowest and the 3 highest."""
    p = _merge_4((a[0], a[2], a[4], a[6]), (b[0], b[2], b[4], b[6]))
    q = _merge_4((a[1], a[3], a[5], a[7]), (b[1], b[3], b[5], b[7]))
    return (
        *(min(p[2], q[1]), max(p[2], q[1]), min(p[3], q[2]), max(p[3], q[2])),
        *(min(p[4], q[3]), max(p[4], q[3]), min(p[5], q[4]), max(p[5], q[4])),
        *(min(p[6], q[5]), max(p[6], q[5])),
    )


@inlined
def _sort_4_rising_then_falling(a: Any) -> Any:
    low, high = (min(a[0], a[2]), min(a[1], a[3])), (max(a[0], a[2]), max(a[1], a[3]))
    return min(*low), max(*low), min(*high), max(*high)


@inlined
def _middle_6_of_10_4(m: Any, r: Any) -> Any:
    """Merges a sorted ten and a sorted four and leaves out the 4 lowest and the 4 highest."""
    upper = max(m[0], r[3]), max(m[1], r[2]), max(m[2], r[1]), max(m[3], r[0])
    upper = _sort_4_rising_then_falling(upper)
    inner = min(upper[0], m[9]), min(upper[1], m[8]), min(upper[2], m[7]), min(upper[3], m[6])
    a = _sort_4_rising_then_falling(inner)
    p, q = max(a[0], m[4]), max(a[1], m[5])
    even = min(a[0], m[4]), min(a[2], p), max(a[2], p)
    odd = min(a[1], m[5]), min(a[3], q), max(a[3], q)
    first = even[0], min(even[1], odd[0]), max(even[1], odd[0])
    return *first, min(even[2], odd[1]), max(even[2], odd[1]), odd[2]


@inlined
def _median_of_6_5(s: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """Returns the 6th of a sorted six and five others in any order."""
    z = _merge_2((min(a, b), max(a, b)), (min(c, d), max(c, d)))
    z0, e = min(z[0], e), max(z[0], e)
    z1, e = min(z[1], e), max(z[1], e)
    z2, e = min(z[2], e), max(z[2], e)
    z3, z4 = min(z[3], e), max(z[3], e)
    low = min(max(s[0], z4), max(s[1], z3))
    high = min(max(s[2], z2), max(s[3], z1))
    return min(low, high, max(s[4], z0), s[5])


@kernel
def _sort_columns(image: Any, rows: Any, blocks: Any, columns: Any) -> None:
    """Sorts 4 rows, pixel by pixel, into the 4 rows of `columns`."""
    writes_do_not_overlap()
    r0, r1, r2, r3 = rows
    for x in range(uint64(blocks * BLOCK)):
        a, b = image[uint64(r0) + x], image[uint64(r1) + x]
        c, d = image[uint64(r2) + x], image[uint64(r3) + x]
        s = _merge_2((min(a, b), max(a, b)), (min(c, d), max(c, d)))
        columns[x], columns[x + uint64(WIDE)] = s[0], s[1]
        columns[x + uint64(2 * WIDE)], columns[x + uint64(3 * WIDE)] = s[2], s[3]


@inlined
def _four(rows: Any, x: Any) -> Any:
    return (
        *(rows[x], rows[x + uint64(WIDE)]),
        *(rows[x + uint64(2 * WIDE)], rows[x + uint64(3 * WIDE)]),
    )


@kernel
def _merge_columns(columns: Any, blocks: Any, pairs: Any) -> None:
    """Merges sorted columns x and x + 1 into the 8 rows of `pairs`."""
    writes_do_not_overlap()
    for x in range(uint64(blocks * BLOCK)):
        m = _merge_4(_four(columns, x), _four(columns, x + uint64(1)))
        pairs[x], pairs[x + uint64(WIDE)] = m[0], m[1]
        pairs[x + uint64(2 * WIDE)], pairs[x + uint64(3 * WIDE)] = m[2], m[3]
        pairs[x + uint64(4 * WIDE)], pairs[x + uint64(5 * WIDE)] = m[4], m[5]
        pairs[x + uint64(6 * WIDE)], pairs[x + uint64(7 * WIDE)] = m[6], m[7]


@kernel
def _select(image: Any, ends: Any, columns: Any, pairs: Any, blocks: Any, medians: Any) -> None:
    """Writes two rows of medians; `ends` are the rows that only one of the two windows has."""
    writes_do_not_overlap()
    top, bottom = ends
    for x in range(uint64(blocks * BLOCK)):
        left = *_four(pairs, x), *_four(pairs, x + uint64(4 * WIDE))
        right = *_four(pairs, x + uint64(3)), *_four(pairs, x + uint64(4 * WIDE + 3))
        ten = _middle_10_of_8_8(left, right)
        six = _middle_6_of_10_4(ten, _four(columns, x + uint64(2)))
        i, j = uint64(top) + x, uint64(bottom) + x
        a, b, c = image[i], image[i + uint64(1)], image[i + uint64(2)]
        medians[x] = _median_of_6_5(six, a, b, c, image[i + uint64(3)], image[i + uint64(4)])
        a, b, c = image[j], image[j + uint64(1)], image[j + uint64(2)]
        medians[x + uint64(WIDE)] = _median_of_6_5(
            six, a, b, c, image[j + uint64(3)], image[j + uint64(4)]
        )


@kernel
def _with_border(plane: Any, width: Any, left: Any) -> Any:
    """Copies the image out of its plane, the border pixels repeated 2 times and more.

    Returns:
        The flat image, rows `stride` apart, and the stride.
    """
    height = plane.shape[0] - 2
    stride = (width + BLOCK - 1) // BLOCK * BLOCK + BLOCK
    image = np.empty((height + 5) * stride, np.float32)
    for y in range(height + 5):
        row = plane[min(max(y - 2, 0), height - 1) + 1]
        target = image[y * stride : (y + 1) * stride]
        target[:2] = row[left]
        for x in range(width):
            target[x + 2] = row[left + x]
        target[width + 2 :] = row[left + width - 1]
    return image, stride


@kernel(cache=True)
def median_5x5(plane: np.ndarray, width: int, left: int) -> None:
    """Replaces an image by its median of 5x5, in place; outside, the border pixel is repeated.

    Args:
        plane: float32 (h + 2, >= left + width): the image is plane[1:-1, left : left + width].
        width: columns of the image.
        left: columns before it.
    """
    image, stride = _with_border(plane, width, left)
    columns = np.empty(4 * WIDE + 1, np.float32)  # the last merge reads one beyond
    pairs = np.empty(8 * WIDE, np.float32)
    medians = np.empty(2 * WIDE, np.float32)
    height = plane.shape[0] - 2
    for y in range(0, height, 2):
        for start in range(0, width, TILE):
            row = y * stride + start
            count = min(TILE, width - start)
            blocks = (count + BLOCK - 1) // BLOCK
            common = row + stride, row + 2 * stride, row + 3 * stride, row + 4 * stride
            _sort_columns(image, common, blocks + 1, columns)
            _merge_columns(columns, blocks + 1, pairs)
            _select(image, (row, row + 5 * stride), columns, pairs, blocks, medians)
            for x in range(count):
                plane[y + 1, left + start + x] = medians[x]
            if y + 1 < height:
                for x in range(count):
                    plane[y + 2, left + start + x] = medians[WIDE + x]
