"""Convolution over time with fewer products: the minimal filtering of Toom, Cook and Winograd.

m frames of a convolution with r taps are A ((G w) * (B x)): the taps w and the m + r - 1 frames x
are each evaluated, as polynomials, at m + r - 1 points, multiplied there, and interpolated. That
is m + r - 1 products in place of m r. Here a product is a whole convolution over the picture, and
A, B are small matrices applied to whole frames: 4 frames of a 3 x 3 x 3 convolution cost 6
convolutions of 3 x 3 in place of 12.

Winograd, "Arithmetic Complexity of Computations", SIAM 1980; for convolutional networks Lavin and
Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. There the tiles lie in the
picture and have to be cut out of it; along time they need no cutting.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pipeline.backbones.packed import PackedConvolution

TILE = 4  # m: an I3D has clips of 8, 4 and 2 frames inside, for 16 outside
POINTS = (1.0, 0.0, -1.0, 2.0, -2.0, 0.5)  # and infinity


def transforms(
    m: int, r: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """A (m, p), B (p, p) and G (p, r), p = m + r - 1, of m outputs and r taps.

    For x (p,) and w (r,): A @ ((G @ w) * (B @ x)) is y (m,) with y[i] = sum over k of w[k] x[i+k].
    """
    points = np.array(POINTS[: m + r - 2])

    def powers(count: int) -> NDArray[np.float64]:
        infinity = np.eye(count)[-1:]
        return np.concatenate([np.vander(points, count, increasing=True), infinity])

    interpolation = np.linalg.inv(powers(m + r - 1)).astype(np.float64)
    return powers(m).T, interpolation.T, powers(r)


@lru_cache
def _float32(r: int) -> tuple[Tensor, Tensor]:
    outputs, inputs, _ = transforms(TILE, r)
    return torch.from_numpy(outputs).float(), torch.from_numpy(inputs).float()


class TimeWinograd:
    """3D convolution with a ReLU behind it, from few convolutions over single frames.

    With stride s along time it is one of stride 1 over groups of s frames.

    Args:
        weight: (o, c, kernel, kernel, kernel) float32, kernel <= 4 s.
        bias: (o,).
        stride: s, along all axes.
        padding: zeros around the clip, along all axes; in time only with s = 1.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: int, padding: int) -> None:
        kernel = weight.shape[2]
        self.taps = -(-kernel // stride)
        grouped = F.pad(weight, (0, 0, 0, 0, 0, self.taps * stride - kernel))
        grouped = grouped.unflatten(2, (self.taps, stride))  # (o, c, r, s, kernel, kernel)
        at_points = torch.from_numpy(transforms(TILE, self.taps)[2])
        weights = torch.einsum("pr,ocrshw->pocshw", at_points, grouped.double()).float()
        # Row j of A holds the j-th powers: the point 1, which is the first, counts once in each.
        biases = [bias, *[None] * (len(weights) - 1)]
        steps, zeros = (stride, stride, stride), (0, padding, padding)
        self.products = [
            PackedConvolution(w, b, stride=steps, padding=zeros, relu=False)
            for w, b in zip(weights, biases, strict=True)
        ]
        self.outputs, self.kernel, self.stride, self.padding = len(weight), kernel, stride, padding

    def __call__(self, x: Tensor) -> Tensor:
        """Maps (n, c, t, h, w) to (n, o, t', h', w'), values >= 0, channels last in memory."""
        sizes = [(s + 2 * self.padding - self.kernel) // self.stride + 1 for s in x.shape[2:]]
        y = x.new_empty(len(x), *sizes, self.outputs)
        whole = F.pad(x, (0, 0, 0, 0, 0, -x.shape[2] % self.stride)).movedim(1, -1)
        groups = whole.unflatten(1, (-1, self.stride)).contiguous()  # (n, t / s, s, h, w, c)
        for clip, made in zip(groups, y, strict=True):
            for start in range(0, len(made), TILE):
                self._tile(clip, start - self.padding, made[start : start + TILE])
        return y.relu_().movedim(-1, 1)

    def _tile(self, groups: Tensor, first: int, into: Tensor) -> None:
        """Writes at most TILE outputs (count, h', w', o), of the groups from `first` on."""
        outputs, inputs = _float32(self.taps)
        present = range(max(first, 0), min(first + len(inputs), len(groups)))
        columns = inputs[:, present.start - first : present.stop - first]
        seen = groups[present.start : present.stop]
        at_points = (columns @ seen.flatten(1)).view(-1, 1, *groups.shape[1:]).movedim(-1, 2)
        pairs = zip(self.products, at_points, strict=True)
        made = torch.cat([product(x).movedim(1, -1) for product, x in pairs])
        torch.mm(outputs[: len(into)], made.flatten(1), out=into.flatten(1))
