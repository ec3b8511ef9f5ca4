"""The inner iterations of TV-L1, compiled: one pass over memory each, in OpenCV's own rounding.

TV-L1 amplifies rounding: given frames changed in their last bit, OpenCV moves its own flow by
thousandths of a pixel on average and by whole pixels at occlusions. So these loops round as
OpenCV's do, operation by operation, and most pairs of frames get the same flow to the last bit.

A plane is a flat float32 array that holds an image amid zeros: `LEFT` columns before it, up to
`BLOCK` - 1 behind, a row above and a row below, so that neighbours and blocks need no test of
bounds. Rows lie `stride` apart; column 1 starts a block, because column 0 rounds differently.
"""

from typing import Any

import numpy as np
from numba import float32, uint64

from pipeline.flow.numba_kernel import fma, inlined, kernel, writes_do_not_overlap

BLOCK = 16
LEFT = BLOCK - 1
NEXT = uint64(1)


@inlined
def _root(x: Any, y: Any) -> Any:
    """Returns g and c such that sqrt(x^2 + y^2) is g + c / (2 g), far beyond float32.

    OpenCV takes this root in float64. Here fused operations regain what the squares lost. The
    1e-24 keeps g from being 0, and is too small to be felt in 1 + tau / theta * g.
    """
    small, large = min(abs(x), abs(y)), max(abs(x), abs(y))
    square = fma(large, large, float32(1e-24))
    total = fma(small, small, square)
    lost = fma(large, large, -square) + fma(small, small, square - total)
    g = np.sqrt(total)
    return g, fma(-g, g, total) + lost


@inlined
def _dual_pixel(u: Any, p: Any, j: Any, has_right: Any, below: Any, taut: Any) -> None:
    """Updates p at pixel j: p = (p + tau / theta grad u) / (1 + tau / theta |grad u|)."""
    px, py = p
    ux, uy = (u[j + NEXT] - u[j]) * has_right, below - u[j]
    g, c = _root(ux, uy)
    n = float32(1) + taut * fma(c, float32(0.5) / g, g)
    px[j], py[j] = (px[j] + taut * ux) / n, (py[j] + taut * uy) / n


@inlined
def _data_step(data: Any, i: Any, u1: Any, u2: Any, l_t: Any) -> Any:
    """Returns rho / |grad I1|^2 within +-lambda theta: the thresholding step along -grad I1."""
    rho_c, grad_x, grad_y, inverse, _ = data
    rho = rho_c[i] + (grad_x[i] * u1 + grad_y[i] * u2)
    square = grad_x[i] * grad_x[i] + grad_y[i] * grad_y[i]
    guess = rho * inverse[i]
    quotient = fma(fma(-guess, square, rho), inverse[i], guess)  # as if divided, rounded once
    return np.copysign(l_t, rho) if abs(rho) > l_t * square else quotient


@inlined
def _pixel(data: Any, flow: Any, dual: Any, where: Any, steps: Any, div: Any, moved: Any) -> None:
    """Updates the flow at pixel i, then the dual variables at pixel j above it.

    These need the flow at i to be new, and the old ones have just been used for the last time: so
    one pass does both. Adds |du|^2 to its column of `moved`.
    """
    u1, u2, above_u1, above_u2 = flow
    i, j, column, has_right = where
    l_t, theta, taut = steps
    d = _data_step(data, i, u1[i], u2[i], l_t)
    new1 = (u1[i] - d * data[1][i]) + theta * div[0]
    new2 = (u2[i] - d * data[2][i]) + theta * div[1]
    du1, du2 = new1 - u1[i], new2 - u2[i]
    moved[column] = fma(du2, du2, fma(du1, du1, moved[column]))
    u1[i], u2[i] = new1, new2
    _dual_pixel(above_u1, (dual[0], dual[1]), j, has_right, new1, taut)
    _dual_pixel(above_u2, (dual[2], dual[3]), j, has_right, new2, taut)


@inlined
def _column_0(data: Any, flow: Any, dual: Any, rows: Any, steps: Any, moved: Any) -> None:
    p11, p12, p21, p22 = dual
    i, j = uint64(rows[0]), uint64(rows[1])
    div = (p11[i] + p12[i]) - p12[j], (p21[i] + p22[i]) - p22[j]
    _pixel(data, flow, dual, (i, j, uint64(0), data[4][0]), steps, div, moved)


@inlined
def _other_columns(
    data: Any, flow: Any, dual: Any, above: Any, rows: Any, steps: Any, moved: Any
) -> None:
    writes_do_not_overlap()
    p11, p12, p21, p22 = dual
    row, row_above, blocks = rows
    for k in range(uint64(blocks * BLOCK)):
        i, j = uint64(row) + k + NEXT, uint64(row_above) + k + NEXT
        div1 = (p11[i] - p11[i - NEXT]) + (p12[i] - above[1][j])
        div2 = (p21[i] - p21[i - NEXT]) + (p22[i] - above[3][j])
        where = i, j, k + NEXT, data[4][k + NEXT]
        _pixel(data, flow, above, where, steps, (div1, div2), moved)


@kernel(cache=True)
def iterate(
    data: np.ndarray,
    flow: np.ndarray,
    dual: np.ndarray,
    has_right: np.ndarray,
    shape: tuple[int, int],
    steps: tuple[np.float32, np.float32, np.float32],
    stop: tuple[float, int],
) -> float:
    """Solves for flow and dual variables, in place, until the flow hardly moves.

    Args:
        data: planes (4, size): rho_c, gradient of I1 in x and in y, 1 / |gradient|^2 or 0.
        flow: planes (2, size): u1, u2, px.
        dual: planes (4, size): p11, p12, p21, p22.
        has_right: float32 (stride), 1 in the columns that have a neighbour to the right, else 0.
        shape: height of the image and stride of the planes.
        steps: lambda theta, theta, tau / theta.
        stop: sum of |du|^2 at which to stop, and how many iterations at most.

    Returns:
        The last iteration's sum of |du|^2, px^2.
    """
    u1, u2 = flow[0], flow[1]
    u = u1, u2, u1, u2
    p = dual[0], dual[1], dual[2], dual[3]
    terms = data[0], data[1], data[2], data[3], has_right
    height, stride = shape
    below = (height + 1) * stride
    moved = np.empty(stride, np.float32)  # |du|^2 of each column, so that its sum has an order
    change = np.inf
    for _ in range(stop[1]):
        moved[:] = 0
        for i in range(stride + LEFT, below + stride, stride):
            j = i - stride
            weights = steps
            if i > below:  # a row that is no image, and must not move, lets the last row end
                for x in range(below, below + stride):
                    u1[x], u2[x] = u1[x - stride], u2[x - stride]
                weights = steps[0], float32(0), steps[2]
            _column_0(terms, u, p, (i, j), weights, moved)
            _other_columns(terms, u, p, p, (i, j, stride // BLOCK - 1), weights, moved)
        for x in range(stride):
            p[0][x] = p[1][x] = p[2][x] = p[3][x] = 0
        change = 0.0
        for x in range(stride):
            change += moved[x]
        if change <= stop[0]:
            break
    return change
