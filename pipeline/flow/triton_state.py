"""How the GPU's kernels keep a batch of pairs: which plane is where, and which pairs still run.

A pair has 14 planes (h, w), float32: u1, u2, p11, p12, p21, p22 twice, of which a block of
iterations reads one set and writes the other, since neighbouring tiles read what a tile writes;
then u1, u2 after the median. Which set is valid follows from the number of blocks that the pair has
run.

Whether a pair goes on is known to no host: each block leaves the sums of |du|^2 of each iteration
and tile in its part of `change`; the next adds up that part, always in the same order, and does
nothing unless all iterations exceed the bound. Parts not written yet hold -1, so that a pair that
has stopped stays so.
"""

import triton
import triton.language as tl

PLANES = 14
FILTERED = tl.constexpr(12)  # the first plane after the median
_PLANES = tl.constexpr(PLANES)
_SET = tl.constexpr(6)
_AT_ONCE = tl.constexpr(128)


@triton.jit
def quiet_at(
    change: tl.tensor, tiles: tl.tensor, enough: tl.tensor, depth: tl.constexpr
) -> tl.tensor:
    """The first of a block's iterations that changed no more than enough.

    Args:
        change: the block's sums, (depth, tiles).
        tiles: their number.
        enough: sum of |du|^2, px^2.
        depth: iterations of a block.

    Returns:
        0 to depth - 1; depth if there is none. A block that has not been run gives 0.
    """
    quiet = tl.full([], depth, tl.int32)
    for back in tl.static_range(1, depth + 1):
        total = _sum(change + (depth - back) * tiles, tiles)
        quiet = tl.where(total <= enough, depth - back, quiet)
    return quiet


@triton.jit
def _sum(numbers: tl.tensor, count: tl.tensor) -> tl.tensor:
    total = tl.zeros([_AT_ONCE], tl.float32)
    at = tl.arange(0, _AT_ONCE)
    start = 0
    while start < count:
        total += tl.load(numbers + start + at, mask=start + at < count, other=0.0)
        start += _AT_ONCE
    return tl.sum(total)


@triton.jit
def planes_of(state: tl.tensor, pair: tl.tensor, size: tl.tensor) -> tl.tensor:
    """The first plane of a pair."""
    return state + pair * (_PLANES * size)


@triton.jit
def offset_of_set(
    begun: tl.tensor, pair: tl.tensor, block: tl.tensor, size: tl.tensor
) -> tl.tensor:
    """Where the valid set of planes begins `block` blocks after a warp's begin."""
    return ((tl.load(begun + pair) + block) & 1) * (_SET * size)
