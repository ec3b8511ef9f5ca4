"""TV-L1 optical flow by Numba: OpenCV's algorithm, vectorised, one pass over memory an iteration.

The steps are compiled in four files. A pair of frames takes one thread, without Python's lock; any
number of threads or processes may work at once. Compiled code is kept beside the source (or where
NUMBA_CACHE_DIR says), so only the first call after a change waits for the compiler.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numba.core import event

from pipeline.flow.numba_iteration import BLOCK, LEFT, iterate
from pipeline.flow.numba_median import median_5x5
from pipeline.flow.numba_pyramid import resize
from pipeline.flow.numba_warp import gradient_table, warp
from pipeline.flow.parameters import TVL1

Images = tuple[np.ndarray, np.ndarray]


def tvl1(first: np.ndarray, second: np.ndarray, parameters: TVL1) -> np.ndarray:
    """Computes the flow (u, v) from `first` to `second`: first[y, x] is found at second[y+v, x+u].

    Args:
        first: uint8 (h, w), grey.
        second: the same, of the same size.
        parameters: of the algorithm.

    Returns:
        float32 (2, h, w), px: u to the right, v down.
    """
    levels = list(_pyramid((first, second), parameters))
    flow = np.zeros((2, *levels[-1][0].shape), np.float32)
    for frames in reversed(levels):
        flow = _refine(frames, _enlarge(flow, frames[0].shape, parameters), parameters)
    return flow


def compile_ahead() -> None:
    """Compiles all steps and fills the cache, so that workers started later need not."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 24, 24), np.uint8)
    with event.install_listener("numba:compile", _Teller()):
        tvl1(frames[0], frames[1], TVL1(warps=1, outer_iterations=1))


class _Teller(event.Listener):
    """Says once that Numba compiles; what comes out of its cache is no such event."""

    told = False

    def on_start(self, event: Any) -> None:
        """Tells, the first time."""
        if not self.told:
            print("flow: compiling with Numba, once; some half a minute", flush=True)
        self.told = True

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


def _pyramid(frames: Images, parameters: TVL1) -> Iterator[Images]:
    """Yields the frames as float32 of 0 to 255, then ever smaller, no side below 16."""
    first, second = (np.ascontiguousarray(frame, np.float32) for frame in frames)
    yield first, second
    step = 1 / parameters.scale_step
    for _ in range(parameters.scales - 1):
        h, w = (round(side * parameters.scale_step) for side in first.shape)
        if min(h, w) < 16:
            return
        one = np.float32(1)
        first, second = (resize(i, (h, w), (step, step), one) for i in (first, second))
        yield first, second


def _enlarge(flow: np.ndarray, shape: tuple[int, ...], parameters: TVL1) -> np.ndarray:
    """Resizes a flow (2, h, w) to `shape`, and its vectors by one step of the pyramid."""
    if flow.shape[1:] == shape:
        return flow
    scale = flow.shape[1] / shape[0], flow.shape[2] / shape[1]
    gain = np.float32(1 / parameters.scale_step)
    return np.stack([resize(component, shape, scale, gain) for component in flow])


def _refine(frames: Images, flow: np.ndarray, parameters: TVL1) -> np.ndarray:
    """Solves for the flow (2, h, w) at one level, from a first guess."""
    first, second = frames
    h, w = first.shape
    stride = LEFT + 1 + -(-(w - 1) // BLOCK) * BLOCK
    u = np.zeros((2, h + 2, stride), np.float32)
    u[:, 1:-1, LEFT : LEFT + w] = flow
    u_flat = u.reshape(2, -1)
    data, dual = np.zeros_like(u_flat, shape=(2, 4, u_flat.shape[1]))
    has_right = (np.arange(stride) < w - 1).astype(np.float32)
    enough = float(np.float32(parameters.epsilon**2 * h * w))
    stop = enough, parameters.inner_iterations
    steps = _steps(parameters)
    table = gradient_table(second)
    for _ in range(parameters.warps):
        warp(first, table, u_flat, data, (LEFT, stride))
        for _ in range(parameters.outer_iterations):
            if parameters.median_size == 5:
                median_5x5(u[0], w, LEFT)
                median_5x5(u[1], w, LEFT)
            change = iterate(data, u_flat, dual, has_right, (h, stride), steps, stop)
            if change <= enough:
                break
    return u[:, 1:-1, LEFT : LEFT + w].copy()


def _steps(parameters: TVL1) -> tuple[np.float32, np.float32, np.float32]:
    """Returns lambda theta, theta and tau / theta."""
    theta = parameters.theta
    along_data, along_dual = parameters.lambda_ * theta, parameters.tau / theta
    return np.float32(along_data), np.float32(theta), np.float32(along_dual)
