"""Iterations of TV-L1 for a batch of pairs: a few in one pass over the GPU's memory.

A warp of threads walks down a strip of the image, a pixel a thread. The first stage makes the first
iteration of row y, the second the second iteration of row y - 2, and so on: rows stay in registers,
and neighbours across come from the other threads of the warp. Each iteration needs one pixel more
on every side, so strips overlap, and what is wrong at their edges is not written.
"""

import triton
import triton.language as tl

from pipeline.flow.triton_state import FILTERED, offset_of_set, planes_of, quiet_at

_FLAT = tl.constexpr(1.1920928955078125e-07)  # squared gradients up to this count as 0


def strips(width: int, depth: int, lanes: int) -> int:
    """How many strips cover an image: all overlap by 2 `depth`, and nothing is lost at borders."""
    return max(1, triton.cdiv(width - 2 * depth, lanes - 2 * depth))


@triton.jit
def _minus(x: tl.tensor) -> tl.tensor:
    """Returns -x at no cost; Triton's own minus is a subtraction from 0."""
    return x * -1.0


@triton.jit
def _inverse(x: tl.tensor) -> tl.tensor:
    """Returns 1 / x, rounded as a division in all but very rare cases, and far cheaper."""
    root = tl.rsqrt(x)
    guess = root * root
    return tl.fma(tl.fma(_minus(x), guess, 1.0), guess, guess)


@triton.jit
def _quotient(a: tl.tensor, b: tl.tensor, inverse: tl.tensor) -> tl.tensor:
    """Returns a / b, rounded once, by the inverse of b: Markstein, 1990."""
    guess = a * inverse
    return tl.fma(tl.fma(_minus(b), guess, a), inverse, guess)


@triton.jit
def _root(x: tl.tensor, y: tl.tensor) -> tl.tensor:
    """Returns sqrt(x^2 + y^2) as if taken in float64: fused products regain what squares lose."""
    small, large = tl.minimum(tl.abs(x), tl.abs(y)), tl.maximum(tl.abs(x), tl.abs(y))
    square = tl.fma(large, large, 1e-24)  # so that the root is not 0
    total = tl.fma(small, small, square)
    lost = tl.fma(large, large, _minus(square)) + tl.fma(small, small, square - total)
    inverse = tl.rsqrt(total)
    guess = total * inverse
    rest = tl.fma(_minus(guess), guess, total) + lost
    return tl.fma(rest, 0.5 * inverse, guess)


@triton.jit
def _divergence(
    px: tl.tensor, py: tl.tensor, above: tl.tensor, first: tl.tensor, left: tl.tensor
) -> tl.tensor:
    before = tl.gather(px, left, 0)
    # in column 0 the divergence is added in another order, as OpenCV does
    return (px - tl.where(first, _minus(py), before)) + (tl.where(first, 0.0, py) - above)


@triton.jit
def _new_flow(row: tl.tuple, above1: tl.tensor, above2: tl.tensor, at: tl.tuple) -> tl.tuple:
    """Returns the new flow of a row: thresholded along grad I1, + theta div p."""
    u1, u2, p11, p12, p21, p22, rho_c, gx, gy, inverse = row
    first, _, left, _, steps = at
    rho = rho_c + (gx * u1 + gy * u2)
    square = gx * gx + gy * gy
    limit = tl.where(rho > 0, steps[0], -steps[0])
    d = tl.where(tl.abs(rho) > steps[0] * square, limit, _quotient(rho, square, inverse))
    new1 = (u1 - d * gx) + steps[1] * _divergence(p11, p12, above1, first, left)
    new2 = (u2 - d * gy) + steps[1] * _divergence(p21, p22, above2, first, left)
    return new1, new2


@triton.jit
def _new_dual(
    px: tl.tensor, py: tl.tensor, u: tl.tensor, below: tl.tensor, has_below: tl.tensor, at: tl.tuple
) -> tl.tuple:
    """Returns (p + tau / theta grad u) / (1 + tau / theta |grad u|) of one component."""
    _, has_right, _, right, steps = at
    along_x = tl.where(has_right, tl.gather(u, right, 0) - u, 0.0)
    along_y = tl.where(has_below, below - u, 0.0)
    length = 1.0 + steps[2] * _root(along_x, along_y)
    inverse = _inverse(length)
    return (
        _quotient(px + steps[2] * along_x, length, inverse),
        _quotient(py + steps[2] * along_y, length, inverse),
    )


@triton.jit
def _stage(row: tl.tuple, above: tl.tuple, has_above: tl.tensor, at: tl.tuple) -> tl.tuple:
    """Iterates: from a row, and the row above with its flow new, to that row all new."""
    new1, new2 = _new_flow(row, above[3], above[5], at)
    p11, p12 = _new_dual(above[2], above[3], above[0], new1, has_above, at)
    p21, p22 = _new_dual(above[4], above[5], above[1], new2, has_above, at)
    done = (above[0], above[1], p11, p12, p21, p22, above[6], above[7], above[8], above[9])
    half = (new1, new2, row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9])
    du1, du2 = new1 - row[0], new2 - row[1]
    return done, half, du1 * du1 + du2 * du2


@triton.jit
def _read(
    data: tl.tensor,
    flow: tl.tensor,
    dual: tl.tensor,
    i: tl.tensor,
    mask: tl.tensor,
    size: tl.tensor,
) -> tl.tuple:
    """Reads a row; outside the image all is 0, and stays so."""
    gx = tl.load(data + size + i, mask=mask, other=0.0)
    gy = tl.load(data + 2 * size + i, mask=mask, other=0.0)
    square = gx * gx + gy * gy
    inverse = tl.where(square > _FLAT, _inverse(tl.maximum(square, _FLAT)), 0.0)
    return (
        tl.load(flow + i, mask=mask, other=0.0),
        tl.load(flow + size + i, mask=mask, other=0.0),
        tl.load(dual + i, mask=mask, other=0.0),
        tl.load(dual + size + i, mask=mask, other=0.0),
        tl.load(dual + 2 * size + i, mask=mask, other=0.0),
        tl.load(dual + 3 * size + i, mask=mask, other=0.0),
        tl.load(data + i, mask=mask, other=0.0),
        gx,
        gy,
        inverse,
    )


@triton.jit
def _walk(
    source: tl.tuple,
    target: tl.tensor,
    top: tl.tensor,
    x: tl.tensor,
    kept: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    steps: tl.tuple,
    depth: tl.constexpr,
    height: tl.constexpr,
    lanes: tl.constexpr,
) -> tl.tuple:
    """Iterates `depth` times in rows top to top + height; returns each time's |du|^2 by column."""
    lane, size = tl.arange(0, lanes), h * w
    left, right = tl.maximum(lane - 1, 0), tl.minimum(lane + 1, lanes - 1)
    inside, has_right = (x >= 0) & (x < w), (x >= 0) & (x < w - 1)
    at = (x == 0, has_right, left, right, steps)
    begin, end = tl.maximum(top - depth, 0), tl.minimum(top + height, h)
    data, flow, dual = source
    none = tl.zeros([lanes], tl.float32)
    nothing = (none, none, none, none, none, none, none, none, none, none)
    i = begin * w + x
    following = _read(data, flow, dual, i, inside, size)
    above: tl.tuple = ()
    sums: tl.tuple = ()
    for _ in tl.static_range(depth):
        above, sums = above + (nothing,), sums + (none,)
    y = begin
    while y < end + depth:
        row, i = following, i + w
        following = _read(data, flow, dual, i, inside & (y < h - 1), size)
        next_above: tl.tuple = ()
        next_sums: tl.tuple = ()
        for s in tl.static_range(depth):
            line = y - s
            row, half, moved = _stage(row, above[s], (line > 0) & (line < h), at)
            ours = kept & (line >= top) & (line < end)
            next_sums = next_sums + (sums[s] + tl.where(ours, moved, 0.0),)
            next_above = next_above + (half,)
        above, sums = next_above, next_sums
        ours = kept & (y >= top + depth) & (y < end + depth)
        for n in tl.static_range(6):
            tl.store(target + n * size + (i - (depth + 1) * w), row[n], mask=ours)
        y += 1
    return sums


@triton.jit(do_not_specialize=["block", "blocks", "per_filter", "h", "w"])
def iterate(
    state: tl.tensor,
    data: tl.tensor,
    change: tl.tensor,
    begun: tl.tensor,
    block: tl.tensor,
    blocks: tl.tensor,
    per_filter: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    l_t: tl.tensor,
    theta: tl.tensor,
    taut: tl.tensor,
    enough: tl.tensor,
    depth: tl.constexpr,
    height: tl.constexpr,
    lanes: tl.constexpr,
) -> None:
    """Runs a block of iterations; grid: tiles, pairs.

    A pair that came to rest within the last block has gone too far: it repeats that block from its
    beginning, as far as it should have gone.

    Args:
        state: float32 (n, 14, h, w), see `triton_state`.
        data: float32 (n, 3, h, w): rho_c, gradient of I1 in x and in y.
        change: float32 (n, blocks + 1, depth, tiles): `block` is read, `block` + 1 written.
        begun: int32 (n): blocks of the level's earlier warps.
        block: the block's number in this warp, 0 to `blocks`; the last one can only repeat.
        blocks: that a warp has at most.
        per_filter: blocks from one median to the next, 0 if there is none.
        h: height.
        w: width.
        l_t: lambda theta.
        theta: coupling of u and v.
        taut: tau / theta.
        enough: sum of |du|^2, px^2, at which a pair stops.
        depth: iterations of a block.
        height: of a tile.
        lanes: width of a strip, a power of two.
    """
    pair, tile, tiles = tl.program_id(1).to(tl.int64), tl.program_id(0), tl.num_programs(0)
    row, size = (pair * (blocks + 1) + block) * depth * tiles, h * w
    if tl.load(change + row) < 0:  # the pair has not run the block before
        return
    quiet = quiet_at(change + row, tiles, enough, depth)
    if (quiet == depth - 1) | ((quiet == depth) & (block == blocks)):
        return
    count = depth
    if quiet < depth:
        count, block = quiet + 1, block - 1
    planes, current = planes_of(state, pair, size), offset_of_set(begun, pair, block, size)
    filtered = (per_filter > 0) & (block % tl.maximum(per_filter, 1) == 0)
    flow = planes + tl.where(filtered, FILTERED * size, current)
    source = (data + pair * (3 * size), flow, planes + current + 2 * size)
    target, core = planes + 6 * size - current, lanes - 2 * depth
    across = tl.cdiv(tl.maximum(w - 2 * depth, 1), core)
    top, start = tile // across * height, tile % across * core
    lane = tl.arange(0, lanes)
    kept = ((lane >= depth) | (start == 0)) & ((lane < lanes - depth) | (start + lanes >= w))
    x, steps = start + lane, (l_t, theta, taut)
    kept &= x < w
    for n in tl.static_range(1, depth + 1):
        if count == n:
            sums = _walk(source, target, top, x, kept, h, w, steps, n, height, lanes)
            if n == depth:
                for s in tl.static_range(depth):
                    tl.store(change + row + (depth + s) * tiles + tile, tl.sum(sums[s]))
