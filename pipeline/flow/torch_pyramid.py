"""The pyramid of the batched TV-L1: bilinear resizing in PyTorch, on any device.

All arithmetic is pixel by pixel, so an image's result does not depend on the rest of its batch.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from pipeline.flow.parameters import TVL1
from pipeline.flow.torch_rounding import fma

SMALLEST = 16  # px: no side of a level is smaller, but for the first


def levels(frames: Tensor, parameters: TVL1) -> Iterator[Tensor]:
    """Yields the frames (..., h, w), float32, then ever smaller."""
    yield frames
    step = 1 / parameters.scale_step
    for _ in range(parameters.scales - 1):
        h, w = (round(side * parameters.scale_step) for side in frames.shape[-2:])
        if min(h, w) < SMALLEST:
            return
        frames = resize(frames, (h, w), (step, step))
        yield frames


def enlarge(flow: Tensor, shape: tuple[int, int], parameters: TVL1) -> Tensor:
    """Resizes a flow (..., h, w) to `shape`, and its vectors by one step of the pyramid."""
    h, w = flow.shape[-2:]
    if (h, w) == shape:
        return flow
    gain = float(np.float32(1 / parameters.scale_step))
    return gain * resize(flow, shape, (h / shape[0], w / shape[1]))


def resize(images: Tensor, shape: tuple[int, int], scale: tuple[float, float]) -> Tensor:
    """Resizes images bilinearly, without smoothing; pixel centres lie at half integers.

    Args:
        images: float32 (..., h, w).
        shape: height and width of the result, at least 2 where `scale` shrinks.
        scale: pixels of the images a pixel of the result, down and across.

    Returns:
        float32 (..., *shape).
    """
    left, right, across = _places(shape[1], images.shape[-1], scale[1], images.device)
    images = _between(images[..., left], images[..., right], across)
    upper, lower, down = _places(shape[0], images.shape[-2], scale[0], images.device)
    return _between(images[..., upper, :], images[..., lower, :], down[:, None])


def _between(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    return fma(weight, b - a, a)


def _places(count: int, size: int, scale: float, device: torch.device) -> list[Tensor]:
    """Returns for each of `count` outputs the two pixels (of `size`) it lies between, and where."""
    place = (np.arange(count) + 0.5) * scale - 0.5
    before = np.floor(place)
    weight = place - before
    if scale > 1:  # OpenCV goes all the way from the last pixel but one
        beyond = before > size - 2
        before[beyond], weight[beyond] = size - 2, 1
    low, high = np.maximum(before, 0), np.minimum(before + 1, size - 1)
    numbers = (low.astype(np.int64), high.astype(np.int64), weight.astype(np.float32))
    return [torch.from_numpy(each).to(device) for each in numbers]
