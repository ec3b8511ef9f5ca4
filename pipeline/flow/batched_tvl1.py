"""TV-L1 optical flow of a batch of pairs of one size, on a GPU or, in plain PyTorch, anywhere.

Formulas, rounding and stopping rule are those of the Numba files. Each pair stops by itself: its
flow is the same to the last bit in any batch or alone. From the Numba flow it differs where a sum
of |du|^2, added in another order, falls to the other side of its bound; Triton's kernels also round
a quotient or a root otherwise once in very many.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.flow import torch_pyramid
from pipeline.flow.parameters import TVL1

Solve = Callable[[Tensor, Tensor, TVL1], Tensor]
_DEFAULTS = TVL1()


@torch.inference_mode()
def tvl1_many(pairs: Tensor, parameters: TVL1 = _DEFAULTS, *, solve: Solve | None = None) -> Tensor:
    """Computes the flow of many pairs: first[y, x] is found at second[y + v, x + u].

    Args:
        pairs: uint8 (n, 2, h, w), grey, h and w at least 2, on the device that is to compute.
        parameters: of the algorithm.
        solve: what solves a level; None chooses by `solver`.

    Returns:
        float32 (n, 2, h, w), px, on that device: u to the right, v down.

    Raises:
        ValueError: `pairs` is not of that kind.
    """
    if pairs.dtype != torch.uint8 or pairs.ndim != 4 or pairs.shape[1] != 2:
        raise ValueError(
            "batched optical flow needs pairs of grey frames, uint8 (n, 2, h, w); "
            f"got {pairs.dtype} {tuple(pairs.shape)}"
        )
    if min(pairs.shape[2:]) < 2:
        raise ValueError(f"optical flow needs h and w of at least 2; got {tuple(pairs.shape)}")
    if not len(pairs):
        return torch.zeros(pairs.shape, device=pairs.device)
    with torch.cuda.device_of(pairs):
        return _from_coarse_to_fine(pairs.float(), parameters, solve or solver(pairs.device))


def tvl1(first: np.ndarray, second: np.ndarray, parameters: TVL1) -> np.ndarray:
    """Computes the flow of one pair on the GPU, to the bits that it has in a batch.

    Args:
        first: uint8 (h, w), grey.
        second: the same, of the same size.
        parameters: of the algorithm.

    Returns:
        float32 (2, h, w), px: u to the right, v down.

    Raises:
        UserError: There is no GPU.
    """
    pair = torch.from_numpy(np.stack([first, second]))[None].to(gpu())
    return tvl1_many(pair, parameters)[0].cpu().numpy()


def gpu() -> torch.device:
    """Returns the device of implementation "cuda". Raises UserError if there is none."""
    if not torch.cuda.is_available():
        raise UserError(
            "flow by 'cuda': PyTorch finds no GPU; run on a machine with one and PyTorch's CUDA "
            "build, or use implementation 'numba'"
        )
    return torch.device("cuda")


def _from_coarse_to_fine(frames: Tensor, parameters: TVL1, solve: Solve) -> Tensor:
    pyramid = list(torch_pyramid.levels(frames, parameters))
    flow = torch.zeros_like(pyramid[-1])
    for level in reversed(pyramid):
        h, w = level.shape[-2:]
        flow = solve(level, torch_pyramid.enlarge(flow, (h, w), parameters), parameters)
    return flow


@cache
def solver(device: torch.device) -> Solve:
    """Returns what solves a level fastest on a device: Triton's kernels, or plain PyTorch."""
    if device.type == "cuda":
        if find_spec("triton") is not None:
            from pipeline.flow import triton_solver

            return triton_solver.solve
        print("flow: Triton is not installed, so PyTorch computes, far slower", file=sys.stderr)
    from pipeline.flow import torch_solver

    return torch_solver.solve


def to_code(flow: Tensor, bound: float) -> Tensor:
    """Codes flow in 8 bits as `pipeline.flow.to_code` does, on the flow's device.

    Args:
        flow: px, of any shape.
        bound: px, above 0.

    Returns:
        uint8, of the shape of `flow`.
    """
    return (127.5 + 127.5 * (flow.clamp(-bound, bound) / bound)).round().to(torch.uint8)
