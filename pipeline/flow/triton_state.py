"""How the GPU's kernels keep a batch of pairs: which plane is where, and which pairs still run.

A pair has 14 planes (h, w), float32: u1, u2, p11, p12, p21, p22 twice, of which an iteration reads
one set and writes the other, since neighbouring tiles read what a tile writes; then u1, u2 after
the median. Which set is valid follows from the number of iterations that the pair has run.

Whether a pair goes on is known to no host: each iteration leaves the sum of |du|^2 of each tile in
its row of `change`, the next adds up that row, always in the same order, and does nothing unless it
exceeds the bound. Rows not written yet hold -1, so that a pair that has stopped stays so.
"""

import triton
import triton.language as tl

PLANES = 14
FILTERED = tl.constexpr(12)  # the first plane after the median
_PLANES = tl.constexpr(PLANES)
_SET = tl.constexpr(6)


@triton.jit
def running(
    change: tl.tensor, row: tl.tensor, tiles: tl.tensor, enough: tl.tensor, slots: tl.constexpr
) -> tl.tensor:
    """Whether the iteration that wrote this row changed more than enough; slots >= tiles."""
    at = tl.arange(0, slots)
    parts = tl.load(change + row * tiles + at, mask=at < tiles, other=0.0)
    return tl.sum(parts, 0) > enough


@triton.jit
def planes_of(state: tl.tensor, pair: tl.tensor, size: tl.tensor) -> tl.tensor:
    """The first plane of a pair."""
    return state + pair * (_PLANES * size)


@triton.jit
def offset_of_set(begun: tl.tensor, pair: tl.tensor, step: tl.tensor, size: tl.tensor) -> tl.tensor:
    """Where the valid set of planes begins `step` iterations after a warp's begin."""
    return ((tl.load(begun + pair) + step) & 1) * (_SET * size)
