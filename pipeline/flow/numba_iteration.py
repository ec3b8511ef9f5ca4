"""The inner iterations of TV-L1, compiled: one pass over memory each, in OpenCV's own rounding.

TV-L1 amplifies rounding: OpenCV itself, given frames changed by one unit in the last place, moves
its flow by several thousandths of a pixel. So these loops round as OpenCV's source does, operation
by operation, and its result comes back bit for bit on nearly all frames.

A plane is a flat float32 array that holds an image between zeros: `LEFT` columns before, up to
16 behind, a row above and a row below, so that neither neighbours nor blocks of 16 need a test.
Column 1 starts a block, because column 0 rounds otherwise.
"""

from typing import Any

import numpy as np
from numba import float32, njit, uint64

from pipeline.flow.numba_llvm import add_square, fma, writes_do_not_overlap

LEFT = 15
BLOCK = 16
NEXT = uint64(1)
KERNEL = {"nogil": True, "error_model": "numpy"}


@njit(forceinline=True, **KERNEL)
def _root(x: Any, y: Any) -> Any:
    """Returns g, c with sqrt(x^2 + y^2) = g + c / (2 g) up to 2^-48: OpenCV rounds a double root.

    The squares' rounding errors are regained by fused multiplication; 1e-24 keeps g from 0 and
    is far below what 1 + tau / theta * g can feel.
    """
    small, large = min(abs(x), abs(y)), max(abs(x), abs(y))
    square = fma(large, large, float32(1e-24))
    total = fma(small, small, square)
    lost = fma(large, large, -square) + fma(small, small, square - total)
    g = np.sqrt(total)
    return g, fma(-g, g, total) + lost


@njit(forceinline=True, **KERNEL)
def _step_along_data(data: Any, i: Any, u1: Any, u2: Any, l_t: Any) -> Any:
    """Returns d (Zach et al., eq. 17): the thresholding step is v = u - d * gradient."""
    rho_c, grad_x, grad_y, inverse, _ = data
    rho = rho_c[i] + (grad_x[i] * u1 + grad_y[i] * u2)
    square = grad_x[i] * grad_x[i] + grad_y[i] * grad_y[i]
    quotient = rho * inverse[i]
    quotient = fma(fma(-quotient, square, rho), inverse[i], quotient)  # rho / square, rounded once
    return np.copysign(l_t, rho) if abs(rho) > l_t * square else quotient


@njit(forceinline=True, **KERNEL)
def _divergence(x: Any, y: Any, above: Any, i: Any, j: Any) -> Any:
    return (x[i] - x[i - NEXT]) + (y[i] - above[j])


@njit(forceinline=True, **KERNEL)
def _pixel(data: Any, flow: Any, dual: Any, where: Any, steps: Any, div: Any, change: Any) -> Any:
    """Updates the flow at pixel i and the dual variable at j, the pixel above it.

    The flow below j is then new, and nobody needs the old dual variable of j any more: so one
    pass suffices. Returns change + |du|^2.
    """
    u1, u2, above_u1, above_u2 = flow
    p11, p12, p21, p22 = dual
    i, j, has_right = where
    l_t, theta, taut = steps
    d = _step_along_data(data, i, u1[i], u2[i], l_t)
    new1 = (u1[i] - d * data[1][i]) + theta * div[0]
    new2 = (u2[i] - d * data[2][i]) + theta * div[1]
    change = add_square(add_square(change, new1 - u1[i]), new2 - u2[i])
    u1[i], u2[i] = new1, new2

    old1, old2 = above_u1[j], above_u2[j]
    u1x, u1y = (above_u1[j + NEXT] - old1) * has_right, new1 - old1
    u2x, u2y = (above_u2[j + NEXT] - old2) * has_right, new2 - old2
    g1, c1 = _root(u1x, u1y)
    g2, c2 = _root(u2x, u2y)
    n1 = float32(1) + taut * fma(c1, float32(0.5) / g1, g1)
    n2 = float32(1) + taut * fma(c2, float32(0.5) / g2, g2)
    p11[j], p12[j] = (p11[j] + taut * u1x) / n1, (p12[j] + taut * u1y) / n1
    p21[j], p22[j] = (p21[j] + taut * u2x) / n2, (p22[j] + taut * u2y) / n2
    return change


@njit(forceinline=True, **KERNEL)
def _column_0(data: Any, flow: Any, dual: Any, above: Any, where: Any, steps: Any) -> Any:
    p11, p12, p21, p22 = dual
    i, j = uint64(where[0]), uint64(where[1])
    div = (p11[i] + p12[i]) - above[1][j], (p21[i] + p22[i]) - above[3][j]
    return _pixel(data, flow, above, (i, j, data[4][0]), steps, div, float32(0))


@njit(forceinline=True, **KERNEL)
def _other_columns(data: Any, flow: Any, dual: Any, above: Any, where: Any, steps: Any) -> Any:
    writes_do_not_overlap()
    p11, p12, p21, p22 = dual
    first, above_first, blocks = where
    change = float32(0)
    for k in range(uint64(blocks * BLOCK)):
        x = k + NEXT
        i, j = uint64(first) + x, uint64(above_first) + x
        div = _divergence(p11, p12, above[1], i, j), _divergence(p21, p22, above[3], i, j)
        change = _pixel(data, flow, above, (i, j, data[4][x]), steps, div, change)
    return change


@njit(cache=True, **KERNEL)
def iterate(  # noqa: D417
    data: np.ndarray,
    flow: np.ndarray,
    dual: np.ndarray,
    has_right: np.ndarray,
    shape: tuple[int, int],
    steps: tuple[np.float32, np.float32, np.float32],
    stop: tuple[float, int],
) -> float:
    u1, u2 = flow[0], flow[1]
    p = dual[0], dual[1], dual[2], dual[3]
    terms = data[0], data[1], data[2], data[3], has_right
    rows = u1, u2, u1, u2
    height, stride = shape
    threshold, limit = stop
    below = (height + 1) * stride
    change = np.inf
    for _ in range(limit):
        change = 0.0
        for i in range(stride + LEFT, below + stride, stride):
            weights = steps
            if i > below:
                for x in range(below, below + stride):
                    u1[x], u2[x] = u1[x - stride], u2[x - stride]
                weights = steps[0], float32(0), steps[2]
            change += _column_0(terms, rows, p, p, (i, i - stride), weights)
            where = i, i - stride, stride // BLOCK - 1
            change += _other_columns(terms, rows, p, p, where, weights)
        for x in range(stride):
            p[0][x] = p[1][x] = p[2][x] = p[3][x] = 0
        if change <= threshold:
            break
    return change
