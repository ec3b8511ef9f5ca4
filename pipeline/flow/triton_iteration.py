"""One iteration of TV-L1 for a batch of pairs: one pass over the GPU's memory.

The new dual variables of a pixel need the new flow of its neighbours to the right and below. These
may belong to other tiles, so their flow is computed here once more: arithmetic is cheaper than a
second pass. An iteration reads 9 planes and writes 6, 60 bytes a pixel.
"""

import triton
import triton.language as tl

from pipeline.flow.triton_state import FILTERED, offset_of_set, planes_of, running

_FLAT = tl.constexpr(1.1920928955078125e-07)  # squared gradients up to this count as 0


@triton.jit
def _new_flow(
    data: tl.tensor,
    flow: tl.tensor,
    dual: tl.tensor,
    y: tl.tensor,
    x: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    steps: tl.tuple,
) -> tl.tuple:
    """Returns flow at pixels (y, x), new and old: thresholded along grad I1, + theta div p."""
    inside = (y < h) & (x < w)
    has_left, has_above = inside & (x > 0), inside & (y > 0)
    i, size = y * w + x, h * w
    rho_c = tl.load(data + i, mask=inside, other=0.0)
    along_x = tl.load(data + size + i, mask=inside, other=0.0)
    along_y = tl.load(data + 2 * size + i, mask=inside, other=0.0)
    u1 = tl.load(flow + i, mask=inside, other=0.0)
    u2 = tl.load(flow + size + i, mask=inside, other=0.0)
    rho = rho_c + (along_x * u1 + along_y * u2)
    square = along_x * along_x + along_y * along_y
    quotient = tl.where(square > _FLAT, tl.div_rn(rho, tl.maximum(square, _FLAT)), 0.0)
    limit = tl.where(rho > 0, steps[0], -steps[0])
    d = tl.where(tl.abs(rho) > steps[0] * square, limit, quotient)
    p11 = tl.load(dual + i, mask=inside, other=0.0)
    p12 = tl.load(dual + size + i, mask=inside, other=0.0)
    p21 = tl.load(dual + 2 * size + i, mask=inside, other=0.0)
    p22 = tl.load(dual + 3 * size + i, mask=inside, other=0.0)
    left1 = tl.load(dual + i - 1, mask=has_left, other=0.0)
    above1 = tl.load(dual + size + i - w, mask=has_above, other=0.0)
    left2 = tl.load(dual + 2 * size + i - 1, mask=has_left, other=0.0)
    above2 = tl.load(dual + 3 * size + i - w, mask=has_above, other=0.0)
    # in column 0 the divergence is added in another order, as OpenCV does
    div1 = tl.where(x > 0, (p11 - left1) + (p12 - above1), (p11 + p12) - above1)
    div2 = tl.where(x > 0, (p21 - left2) + (p22 - above2), (p21 + p22) - above2)
    new1 = (u1 - d * along_x) + steps[1] * div1
    new2 = (u2 - d * along_y) + steps[1] * div2
    return new1, new2, u1, u2


@triton.jit
def _root(x: tl.tensor, y: tl.tensor) -> tl.tensor:
    """Returns sqrt(x^2 + y^2) as if taken in float64: fused products regain what squares lose."""
    small, large = tl.minimum(tl.abs(x), tl.abs(y)), tl.maximum(tl.abs(x), tl.abs(y))
    square = tl.fma(large, large, 1e-24)  # so that the root is not 0
    total = tl.fma(small, small, square)
    lost = tl.fma(large, large, -square) + tl.fma(small, small, square - total)
    guess = tl.sqrt_rn(total)
    rest = tl.fma(-guess, guess, total) + lost
    return tl.fma(rest, tl.div_rn(0.5, guess), guess)


@triton.jit
def _update_dual(
    old: tl.tensor,
    new: tl.tensor,
    along_x: tl.tensor,
    along_y: tl.tensor,
    mask: tl.tensor,
    size: tl.tensor,
    taut: tl.tensor,
) -> None:
    """Writes (p + tau / theta grad u) / (1 + tau / theta |grad u|) of one component."""
    length = 1.0 + taut * _root(along_x, along_y)
    px = tl.load(old, mask=mask, other=0.0)
    py = tl.load(old + size, mask=mask, other=0.0)
    tl.store(new, tl.div_rn(px + taut * along_x, length), mask=mask)
    tl.store(new + size, tl.div_rn(py + taut * along_y, length), mask=mask)


@triton.jit(do_not_specialize=["step", "filtered"])
def iterate(
    state: tl.tensor,
    data: tl.tensor,
    change: tl.tensor,
    begun: tl.tensor,
    step: tl.tensor,
    filtered: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    rows: tl.tensor,
    l_t: tl.tensor,
    theta: tl.tensor,
    taut: tl.tensor,
    enough: tl.tensor,
    tile_h: tl.constexpr,
    tile_w: tl.constexpr,
    slots: tl.constexpr,
) -> None:
    """Iterates once, in those pairs that still run; grid: tiles, pairs.

    Args:
        state: float32 (n, 14, h, w), see `triton_state`.
        data: float32 (n, 3, h, w): rho_c, gradient of I1 in x and in y.
        change: float32 (n, rows, tiles): row `step` is read, row `step` + 1 written.
        begun: int32 (n): iterations of the level's earlier warps.
        step: the iteration's number in this warp.
        filtered: 1 if the flow is to be read where the median left it, else 0.
        h: height.
        w: width.
        rows: of `change`.
        l_t: lambda theta.
        theta: coupling of u and v.
        taut: tau / theta.
        enough: sum of |du|^2, px^2, at which a pair stops.
        tile_h: height of a tile, a power of two.
        tile_w: width of a tile, a power of two.
        slots: a power of two, at least the number of tiles.
    """
    pair, tile, tiles = tl.program_id(1).to(tl.int64), tl.program_id(0), tl.num_programs(0)
    row, size = pair * rows + step, h * w
    if not running(change, row, tiles, enough, slots):
        return
    planes, current = planes_of(state, pair, size), offset_of_set(begun, pair, step, size)
    other = 6 * size - current
    y = tile // tl.cdiv(w, tile_w) * tile_h + tl.arange(0, tile_h)[:, None]
    x = tile % tl.cdiv(w, tile_w) * tile_w + tl.arange(0, tile_w)[None, :]
    u = planes + tl.where(filtered != 0, FILTERED * size, current)
    p, d, steps = planes + current + 2 * size, data + pair * (3 * size), (l_t, theta)
    new1, new2, old1, old2 = _new_flow(d, u, p, y, x, h, w, steps)
    right1, right2, _, _ = _new_flow(d, u, p, y, x + 1, h, w, steps)
    below1, below2, _, _ = _new_flow(d, u, p, y + 1, x, h, w, steps)
    inside, has_right, has_below = (y < h) & (x < w), x < w - 1, y < h - 1
    i = y * w + x
    out = planes + other + i
    tl.store(out, new1, mask=inside)
    tl.store(out + size, new2, mask=inside)
    along_x, along_y = (
        tl.where(has_right, right1 - new1, 0.0),
        tl.where(has_below, below1 - new1, 0.0),
    )
    _update_dual(p + i, out + 2 * size, along_x, along_y, inside, size, taut)
    along_x, along_y = (
        tl.where(has_right, right2 - new2, 0.0),
        tl.where(has_below, below2 - new2, 0.0),
    )
    _update_dual(p + 2 * size + i, out + 4 * size, along_x, along_y, inside, size, taut)
    du1, du2 = tl.where(inside, new1 - old1, 0.0), tl.where(inside, new2 - old2, 0.0)
    tl.store(change + (row + 1) * tiles + tile, tl.sum(du1 * du1 + du2 * du2))
