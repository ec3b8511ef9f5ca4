"""Warps the second frame by the flow, compiled: bicubic, and rounded, as in OpenCV 5.

Planes are laid out as in `numba_iteration`.
"""

from typing import Any

import numpy as np
from numba import float32, int32, uint64

from pipeline.flow.numba_kernel import fma, inlined, kernel, writes_do_not_overlap
from pipeline.flow.numba_lanes import weighted_sum_of_4x4

MARGIN = 4  # pixels of zeros around the table; who reads further out reads these
FLAT = np.finfo(np.float32).eps  # squared gradients up to this count as 0


@kernel(cache=True)
def gradient_table(image: np.ndarray) -> np.ndarray:
    """Lays value, x gradient, y gradient and 0 of each pixel side by side, zeros around them.

    Args:
        image: float32 (h, w).

    Returns:
        float32 (h + 8, w + 8, 4); central differences, the border pixel repeated outside.
    """
    h, w = image.shape
    table = np.zeros((h + 2 * MARGIN, w + 2 * MARGIN, 4), np.float32)
    for y in range(h):
        above, below = max(y - 1, 0), min(y + 1, h - 1)
        for x in range(w):
            before, after = max(x - 1, 0), min(x + 1, w - 1)
            pixel = table[y + MARGIN, x + MARGIN]
            pixel[0] = image[y, x]
            pixel[1] = float32(0.5) * (image[y, after] - image[y, before])
            pixel[2] = float32(0.5) * (image[below, x] - image[above, x])
    return table


@inlined
def _cubic(t: Any) -> Any:
    """The weights of 4 neighbours at t in [0, 1) behind the second: Keys, 1981, a = -0.75."""
    a, one = float32(-0.75), float32(1)
    rest, square = one - t, t * t
    w0 = a * (t * (rest * rest))
    w1 = fma(fma(a + float32(2), t, -(a + float32(3))), square, one)
    w3 = a * (square * rest)
    return w0, w1, one - w0 - w1 - w3, w3


@kernel
def _places(flow: Any, at: Any, shape: Any, start: Any, weights: Any) -> Any:
    """Writes where row y of the warped image begins to read, and its 8 weights a pixel."""
    writes_do_not_overlap()
    u1, u2 = flow
    row, y = at
    h, w = shape
    n = uint64(w)
    stride = int32(4 * (w + 2 * MARGIN))
    for x in range(n):
        to_x, to_y = float32(x) + u1[uint64(row) + x], float32(y) + u2[uint64(row) + x]
        left, top = np.floor(to_x), np.floor(to_y)
        wx, wy = _cubic(to_x - left), _cubic(to_y - top)
        column = int32(min(max(left, float32(-3)), float32(w + 1)) + float32(MARGIN - 1))
        line = int32(min(max(top, float32(-3)), float32(h + 1)) + float32(MARGIN - 1))
        start[x] = line * stride + int32(4) * column
        weights[x], weights[n + x] = wx[0], wx[1]
        weights[uint64(2) * n + x], weights[uint64(3) * n + x] = wx[2], wx[3]
        weights[uint64(4) * n + x], weights[uint64(5) * n + x] = wy[0], wy[1]
        weights[uint64(6) * n + x], weights[uint64(7) * n + x] = wy[2], wy[3]


@kernel
def _read(table: Any, stride: Any, start: Any, weights: Any, warped: Any) -> Any:
    writes_do_not_overlap()
    for x in range(uint64(start.size)):
        where = uint64(start[x]), uint64(stride)
        weighted_sum_of_4x4(table, where, weights, x, warped)


@kernel
def _linearise(first: Any, warped: Any, flow: Any, data: Any, at: Any) -> Any:
    writes_do_not_overlap()
    u1, u2 = flow
    rho_c, grad_x, grad_y, inverse = data
    row, y = at
    for x in range(uint64(first.shape[1])):
        i = uint64(row) + x
        value, gx, gy = warped[4 * x], warped[4 * x + uint64(1)], warped[4 * x + uint64(2)]
        rho_c[i] = value - gx * u1[i] - gy * u2[i] - first[y, x]
        grad_x[i], grad_y[i] = gx, gy
        square = gx * gx + gy * gy
        inverse[i] = float32(1) / square if square > FLAT else float32(0)


@kernel(cache=True)
def warp(
    first: np.ndarray,
    table: np.ndarray,
    flow: np.ndarray,
    data: np.ndarray,
    layout: tuple[int, int],
) -> None:
    """Warps the second frame back by the flow u0 and linearises the difference to the first.

    Args:
        first: I0, float32 (h, w).
        table: `gradient_table` of I1.
        flow: planes (2, size): u0, px.
        data: planes (4, size), written here: rho_c = I1(x + u0) - <grad I1(x + u0), u0> - I0, that
            gradient in x and in y, 1 / its square (0 where it is flat).
        layout: columns before the image in a plane, and how far apart its rows lie.
    """
    h, w = first.shape
    left, stride = layout
    flat = table.reshape(-1)
    start = np.empty(w, np.int32)
    weights, warped = np.empty(8 * w, np.float32), np.empty(4 * w, np.float32)
    u = flow[0], flow[1]
    terms = data[0], data[1], data[2], data[3]
    for y in range(h):
        at = (y + 1) * stride + left, y
        _places(u, at, (h, w), start, weights)
        _read(flat, 4 * (w + 2 * MARGIN), start, weights, warped)
        _linearise(first, warped, u, terms, at)
