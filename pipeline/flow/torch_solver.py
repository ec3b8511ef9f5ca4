"""One level of TV-L1 for a batch of pairs in plain PyTorch: the reference for the GPU's kernels.

It runs on any device and is slow on all: some 45 passes over memory an iteration. A pair that has
stopped is frozen, and what a pair gets does not depend on the others in its batch.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.flow.parameters import TVL1
from pipeline.flow.torch_rounding import root
from pipeline.flow.torch_warp import FLAT, gradient_table, linearise


def solve(frames: Tensor, flow: Tensor, parameters: TVL1) -> Tensor:
    """Solves for the flow at one level, from a first guess.

    Args:
        frames: float32 (n, 2, h, w), of 0 to 255.
        flow: the guess, float32 (n, 2, h, w), px.
        parameters: of the algorithm.

    Returns:
        float32 (n, 2, h, w), px.
    """
    first, second = frames.unbind(1)
    table = gradient_table(second)
    dual = torch.zeros_like(flow)[:, :, None].repeat(1, 1, 2, 1, 1)
    for _ in range(parameters.warps):
        data = linearise(first, table, flow)
        flow, dual = _descend(data, flow, dual, parameters)
    return flow


def _descend(data: Tensor, flow: Tensor, dual: Tensor, parameters: TVL1) -> tuple[Tensor, Tensor]:
    """Iterates until the flow of every pair hardly moves, or the iterations are used up."""
    enough = float(np.float32(parameters.epsilon**2 * flow.shape[-2] * flow.shape[-1]))
    running = torch.ones(len(flow), dtype=torch.bool, device=flow.device)
    for _ in range(parameters.outer_iterations):
        if parameters.median_size == 5:
            flow = torch.where(running[:, None, None, None], median_5x5(flow), flow)
        for _ in range(parameters.inner_iterations):
            new_flow = _primal(data, flow, dual, parameters)
            new_dual = _dual(new_flow, dual, parameters.tau / parameters.theta)
            change = total((new_flow - flow) ** 2)
            flow = torch.where(running[:, None, None, None], new_flow, flow)
            dual = torch.where(running[:, None, None, None, None], new_dual, dual)
            running = running & (change > enough)
        if not running.any():  # asked once a block: on a GPU the question waits for all before it
            break
    return flow, dual


def _primal(data: Tensor, flow: Tensor, dual: Tensor, parameters: TVL1) -> Tensor:
    """Thresholds along the gradient of I1, then u = v + theta div p."""
    rho_c, gradient = data[:, 0], data[:, 1:]
    l_t = parameters.lambda_ * parameters.theta
    rho = rho_c + (gradient[:, 0] * flow[:, 0] + gradient[:, 1] * flow[:, 1])
    square = gradient[:, 0] ** 2 + gradient[:, 1] ** 2
    quotient = torch.where(square > FLAT, rho / square.clamp(min=FLAT), 0)
    step = torch.where(rho.abs() > l_t * square, l_t * rho.sign(), quotient)
    return (flow - step[:, None] * gradient) + parameters.theta * _divergence(dual)


def _divergence(dual: Tensor) -> Tensor:
    """Backward differences; in column 0 added in another order, as OpenCV does."""
    along_x, along_y = dual.unbind(2)
    above = F.pad(along_y, (0, 0, 1, 0))[..., :-1, :]
    divergence = (along_x - F.pad(along_x, (1, 0))[..., :-1]) + (along_y - above)
    divergence[..., 0] = (along_x[..., 0] + along_y[..., 0]) - above[..., 0]
    return divergence


def _dual(flow: Tensor, dual: Tensor, taut: float) -> Tensor:
    """Returns (p + tau / theta grad u) / (1 + tau / theta |grad u|); the border has no gradient."""
    along_x = F.pad(flow[..., 1:] - flow[..., :-1], (0, 1))
    along_y = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    gradient = torch.stack([along_x, along_y], 2)
    length = 1 + taut * root(along_x, along_y)
    return (dual + taut * gradient) / length[:, :, None]


def median_5x5(images: Tensor) -> Tensor:
    """Returns the median of 5x5 of images (n, c, h, w); outside, the border pixel is repeated."""
    h, w = images.shape[-2:]
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    window = [padded[..., y : y + h, x : x + w] for y in range(5) for x in range(5)]
    return torch.stack(window).median(0).values


def total(values: Tensor) -> Tensor:
    """Returns the sum (n) of values (n, ...), added in an order that n does not change."""
    values = values.flatten(1)
    while (count := values.shape[1]) > 1:
        if count % 2:
            values = F.pad(values, (0, 1))
        half = values.shape[1] // 2
        values = values[:, :half] + values[:, half:]
    return values[:, 0]
