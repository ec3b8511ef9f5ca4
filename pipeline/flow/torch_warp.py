"""Warps the second frames by the flow, in PyTorch: bicubic at exact coordinates, as in OpenCV 5."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.flow.torch_rounding import fma

FLAT = float(torch.finfo(torch.float32).eps)  # squared gradients up to this count as 0
_A = -0.75


def gradient_table(images: Tensor) -> Tensor:
    """Stacks value, x gradient and y gradient of each pixel.

    Args:
        images: float32 (n, h, w).

    Returns:
        float32 (n, 3, h, w); central differences, the border pixel repeated outside.
    """
    padded = F.pad(images[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    along_x = 0.5 * (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2])
    along_y = 0.5 * (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1])
    return torch.stack([images, along_x, along_y], 1)


def linearise(first: Tensor, table: Tensor, flow: Tensor) -> Tensor:
    """Warps the second frames back by the flow u0 and linearises their difference to the first.

    Args:
        first: I0, float32 (n, h, w).
        table: `gradient_table` of I1.
        flow: u0, float32 (n, 2, h, w), px.

    Returns:
        float32 (n, 3, h, w): rho_c = I1(x + u0) - <grad I1(x + u0), u0> - I0, and that gradient.
    """
    value, along_x, along_y = _warp(table, flow).unbind(1)
    rho_c = value - along_x * flow[:, 0] - along_y * flow[:, 1] - first
    return torch.stack([rho_c, along_x, along_y], 1)


def _warp(table: Tensor, flow: Tensor) -> Tensor:
    """Returns the table (n, 3, h, w) at each pixel displaced by the flow; 0 outside."""
    h, w = flow.shape[-2:]
    columns = torch.arange(w, dtype=torch.float32, device=flow.device)
    lines = torch.arange(h, dtype=torch.float32, device=flow.device)[:, None]
    to_x, to_y = columns + flow[:, 0], lines + flow[:, 1]
    left, top = to_x.floor(), to_y.floor()
    wx, wy = _cubic(to_x - left), _cubic(to_y - top)
    x0, y0 = (left.clamp(-3, w + 1).long() - 1), (top.clamp(-3, h + 1).long() - 1)
    rows = [_weighted_sum(wx, [_pixels(table, y0 + r, x0 + c) for c in range(4)]) for r in range(4)]
    return _weighted_sum(wy, rows)


def _weighted_sum(weights: Sequence[Tensor], values: Sequence[Tensor]) -> Tensor:
    """Sums up values (n, 3, h, w) by weights (n, h, w), in order."""
    total = weights[0][:, None] * values[0]
    for weight, value in zip(weights[1:], values[1:], strict=True):
        total = fma(value, weight[:, None], total)
    return total


def _pixels(table: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Returns the table (n, 3, h, w) at pixels y, x (n, h, w); 0 outside."""
    h, w = table.shape[-2:]
    inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
    at = (y.clamp(0, h - 1) * w + x.clamp(0, w - 1)).flatten(1)[:, None].expand(-1, 3, -1)
    return table.flatten(2).gather(2, at).view_as(table) * inside[:, None]


def _cubic(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The weights of 4 neighbours at t in [0, 1) behind the second: Keys, 1981, a = -0.75."""
    rest, square = 1 - t, t * t
    w0 = _A * (t * (rest * rest))
    one = torch.ones_like(t)
    w1 = fma(fma((_A + 2) * one, t, -(_A + 3) * one), square, one)
    w3 = _A * (square * rest)
    return w0, w1, 1 - w0 - w1 - w3, w3
