"""Warps the second frames by the flow on a GPU: bicubic at exact coordinates, as in OpenCV 5."""

import triton
import triton.language as tl

from pipeline.flow.triton_state import offset_of_set, planes_of


@triton.jit
def _cubic(t: tl.tensor) -> tl.tuple:
    """The weights of 4 neighbours at t in [0, 1) behind the second: Keys, 1981, a = -0.75."""
    rest, square = 1.0 - t, t * t
    w0 = -0.75 * (t * (rest * rest))
    w1 = tl.fma(tl.fma(1.25, t, -2.25), square, 1.0)
    w3 = -0.75 * (square * rest)
    return w0, w1, 1.0 - w0 - w1 - w3, w3


@triton.jit
def _along_row(
    plane: tl.tensor, y: tl.tensor, x: tl.tensor, h: tl.tensor, w: tl.tensor, weights: tl.tuple
) -> tl.tensor:
    """The weighted sum of 4 pixels of row y from x on; 0 outside."""
    inside = (y >= 0) & (y < h)
    i = y * w + x
    p0 = tl.load(plane + i, mask=inside & (x >= 0) & (x < w), other=0.0)
    p1 = tl.load(plane + i + 1, mask=inside & (x >= -1) & (x < w - 1), other=0.0)
    p2 = tl.load(plane + i + 2, mask=inside & (x >= -2) & (x < w - 2), other=0.0)
    p3 = tl.load(plane + i + 3, mask=inside & (x >= -3) & (x < w - 3), other=0.0)
    total = tl.fma(p1, weights[1], weights[0] * p0)
    return tl.fma(p3, weights[3], tl.fma(p2, weights[2], total))


@triton.jit
def _interpolated(
    plane: tl.tensor,
    y: tl.tensor,
    x: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    wy: tl.tuple,
    wx: tl.tuple,
) -> tl.tensor:
    total = wy[0] * _along_row(plane, y, x, h, w, wx)
    total = tl.fma(_along_row(plane, y + 1, x, h, w, wx), wy[1], total)
    total = tl.fma(_along_row(plane, y + 2, x, h, w, wx), wy[2], total)
    return tl.fma(_along_row(plane, y + 3, x, h, w, wx), wy[3], total)


@triton.jit(do_not_specialize=["h", "w"])
def linearise(
    frames: tl.tensor,
    table: tl.tensor,
    state: tl.tensor,
    begun: tl.tensor,
    data: tl.tensor,
    h: tl.tensor,
    w: tl.tensor,
    pixels: tl.constexpr,
) -> None:
    """Warps the second frames back by the flow u0 and linearises their difference to the first.

    Args:
        frames: I0 and I1, float32 (n, 2, h, w).
        table: `torch_warp.gradient_table` of I1, float32 (n, 3, h, w).
        state: float32 (n, 14, h, w), see `triton_state`; u0 is read from it.
        begun: int32 (n): blocks of the level's earlier warps.
        data: float32 (n, 3, h, w), written here: rho_c = I1(x + u0) - <grad I1(x + u0), u0> - I0,
            that gradient in x and in y.
        h: height.
        w: width.
        pixels: of a program, a power of two.
    """
    pair, size = tl.program_id(1).to(tl.int64), h * w
    i = tl.program_id(0) * pixels + tl.arange(0, pixels)
    y, x, inside = i // w, i % w, i < size
    flow = planes_of(state, pair, size) + offset_of_set(begun, pair, 0, size)
    u1 = tl.load(flow + i, mask=inside, other=0.0)
    u2 = tl.load(flow + size + i, mask=inside, other=0.0)
    to_x, to_y = x.to(tl.float32) + u1, y.to(tl.float32) + u2
    left, top = tl.floor(to_x), tl.floor(to_y)
    wx, wy = _cubic(to_x - left), _cubic(to_y - top)
    x0 = tl.minimum(tl.maximum(left, -3.0), w + 1.0).to(tl.int32) - 1
    y0 = tl.minimum(tl.maximum(top, -3.0), h + 1.0).to(tl.int32) - 1
    second = table + pair * (3 * size)
    value = _interpolated(second, y0, x0, h, w, wy, wx)
    along_x = _interpolated(second + size, y0, x0, h, w, wy, wx)
    along_y = _interpolated(second + 2 * size, y0, x0, h, w, wy, wx)
    first = tl.load(frames + pair * (2 * size) + i, mask=inside, other=0.0)
    out = data + pair * (3 * size) + i
    tl.store(out, value - along_x * u1 - along_y * u2 - first, mask=inside)
    tl.store(out + size, along_x, mask=inside)
    tl.store(out + 2 * size, along_y, mask=inside)
