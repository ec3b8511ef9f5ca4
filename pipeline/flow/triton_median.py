"""Median of 5x5 on a GPU: a network of minima and maxima in registers.

A thread makes two medians, one below the other. Their windows have 4 x 5 pixels in common, of which
only the 6 in the middle of the order can matter; each median is then the middle of these 6 and its
own 5 others. All merging is Batcher's odd-even merge (1968).
"""

import triton
import triton.language as tl

from pipeline.flow.triton_state import FILTERED, offset_of_set, planes_of, quiet_at


@triton.jit
def _sort_2(a: tl.tensor, b: tl.tensor) -> tl.tuple:
    return tl.minimum(a, b), tl.maximum(a, b)


@triton.jit
def _merge_2(a: tl.tuple, b: tl.tuple) -> tl.tuple:
    """Merges two sorted pairs."""
    first, x = _sort_2(a[0], b[0])
    y, last = _sort_2(a[1], b[1])
    x, y = _sort_2(x, y)
    return first, x, y, last


@triton.jit
def _merge_4(a: tl.tuple, b: tl.tuple) -> tl.tuple:
    """Merges two sorted fours."""
    p = _merge_2((a[0], a[2]), (b[0], b[2]))
    q = _merge_2((a[1], a[3]), (b[1], b[3]))
    r1, r2 = _sort_2(p[1], q[0])
    r3, r4 = _sort_2(p[2], q[1])
    r5, r6 = _sort_2(p[3], q[2])
    return p[0], r1, r2, r3, r4, r5, r6, q[3]


@triton.jit
def _middle_10_of_8_8(a: tl.tuple, b: tl.tuple) -> tl.tuple:
    """Merges two sorted eights and leaves out the 3 lowest and the 3 highest."""
    p = _merge_4((a[0], a[2], a[4], a[6]), (b[0], b[2], b[4], b[6]))
    q = _merge_4((a[1], a[3], a[5], a[7]), (b[1], b[3], b[5], b[7]))
    r0, r1 = _sort_2(p[2], q[1])
    r2, r3 = _sort_2(p[3], q[2])
    r4, r5 = _sort_2(p[4], q[3])
    r6, r7 = _sort_2(p[5], q[4])
    r8, r9 = _sort_2(p[6], q[5])
    return r0, r1, r2, r3, r4, r5, r6, r7, r8, r9


@triton.jit
def _sort_4_rising_then_falling(a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor) -> tl.tuple:
    a, c = _sort_2(a, c)
    b, d = _sort_2(b, d)
    a, b = _sort_2(a, b)
    c, d = _sort_2(c, d)
    return a, b, c, d


@triton.jit
def _middle_6_of_10_4(m: tl.tuple, r: tl.tuple) -> tl.tuple:
    """Merges a sorted ten and a sorted four and leaves out the 4 lowest and the 4 highest."""
    a, b, c, d = _sort_4_rising_then_falling(
        tl.maximum(m[0], r[3]),
        tl.maximum(m[1], r[2]),
        tl.maximum(m[2], r[1]),
        tl.maximum(m[3], r[0]),
    )
    a, b, c, d = _sort_4_rising_then_falling(
        tl.minimum(a, m[9]), tl.minimum(b, m[8]), tl.minimum(c, m[7]), tl.minimum(d, m[6])
    )
    even0, p = _sort_2(a, m[4])
    odd0, q = _sort_2(b, m[5])
    even1, even2 = _sort_2(c, p)
    odd1, odd2 = _sort_2(d, q)
    s1, s2 = _sort_2(even1, odd0)
    s3, s4 = _sort_2(even2, odd1)
    return even0, s1, s2, s3, s4, odd2


@triton.jit
def _median_of_6_5(
    s: tl.tuple, a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor, e: tl.tensor
) -> tl.tensor:
    """Returns the 6th of a sorted six and five others in any order."""
    z0, z1, z2, z3 = _merge_2(_sort_2(a, b), _sort_2(c, d))
    z0, e = _sort_2(z0, e)
    z1, e = _sort_2(z1, e)
    z2, e = _sort_2(z2, e)
    z3, z4 = _sort_2(z3, e)
    low = tl.minimum(tl.maximum(s[0], z4), tl.maximum(s[1], z3))
    high = tl.minimum(tl.maximum(s[2], z2), tl.maximum(s[3], z1))
    return tl.minimum(tl.minimum(low, high), tl.minimum(tl.maximum(s[4], z0), s[5]))


@triton.jit
def _pixel(image: tl.tensor, y: tl.tensor, x: tl.tensor, h: tl.tensor, w: tl.tensor) -> tl.tensor:
    """Reads pixels; outside, the border pixel is repeated."""
    y, x = tl.minimum(tl.maximum(y, 0), h - 1), tl.minimum(tl.maximum(x, 0), w - 1)
    return tl.load(image + y * w + x)


@triton.jit
def _column(image: tl.tensor, y: tl.tensor, x: tl.tensor, h: tl.tensor, w: tl.tensor) -> tl.tuple:
    """Sorts the pixels of 4 rows from y on."""
    a, b = _pixel(image, y, x, h, w), _pixel(image, y + 1, x, h, w)
    c, d = _pixel(image, y + 2, x, h, w), _pixel(image, y + 3, x, h, w)
    return _merge_2(_sort_2(a, b), _sort_2(c, d))


@triton.jit
def _median_with_row(
    six: tl.tensor, image: tl.tensor, y: tl.tensor, x: tl.tensor, h: tl.tensor, w: tl.tensor
) -> tl.tensor:
    """The median of the six in the middle and the five pixels of row y around x."""
    a, b = _pixel(image, y, x - 2, h, w), _pixel(image, y, x - 1, h, w)
    c, d = _pixel(image, y, x, h, w), _pixel(image, y, x + 1, h, w)
    return _median_of_6_5(six, a, b, c, d, _pixel(image, y, x + 2, h, w))


@triton.jit(do_not_specialize=["block", "blocks", "tiles", "h", "w"])
def median_5x5(
    state: tl.tensor,
    change: tl.tensor,
    begun: tl.tensor,
    block: tl.tensor,
    blocks: tl.tensor,
    tiles: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    enough: tl.tensor,
    depth: tl.constexpr,
    pixels: tl.constexpr,
) -> None:
    """Filters the flow of those pairs that still run; grid: pixels of every second row, 2, pairs.

    Reads plane 0 or 1 of the valid set and writes plane 12 or 13. `tiles` is the length of a row of
    `change`, `pixels` a program's share, a power of two; the other arguments are those of
    `triton_iteration.iterate`.
    """
    pair, component = tl.program_id(2).to(tl.int64), tl.program_id(1)
    size = h * w
    part = (pair * (blocks + 1) + block) * depth * tiles
    if tl.load(change + part) < 0:  # the pair has not run the block before
        return
    if quiet_at(change + part, tiles, enough, depth) != depth:
        return
    planes = planes_of(state, pair, size) + component * size
    image = planes + offset_of_set(begun, pair, block, size)
    i = tl.program_id(0) * pixels + tl.arange(0, pixels)
    y, x = 2 * (i // w), i % w
    left = _merge_4(_column(image, y - 1, x - 2, h, w), _column(image, y - 1, x - 1, h, w))
    right = _merge_4(_column(image, y - 1, x + 1, h, w), _column(image, y - 1, x + 2, h, w))
    ten = _middle_10_of_8_8(left, right)
    six = _middle_6_of_10_4(ten, _column(image, y - 1, x, h, w))
    out = planes + FILTERED * size + y * w + x
    upper = _median_with_row(six, image, y - 2, x, h, w)
    tl.store(out, upper, mask=y < h)
    lower = _median_with_row(six, image, y + 3, x, h, w)
    tl.store(out + w, lower, mask=y + 1 < h)
