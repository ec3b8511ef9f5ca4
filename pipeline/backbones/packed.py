"""Convolutions whose weights are laid out ahead of time for oneDNN, PyTorch's library on a CPU.

`F.conv3d` rearranges its weights at each call and leaves the ReLU to a pass of its own. The
operators used here are those that PyTorch's compiler puts into a frozen graph. They are not part
of its documented interface, so `available` tries them before anything relies on them.
"""

from functools import lru_cache

import torch
from torch import Tensor


class PackedConvolution:
    """Convolution in two or three dimensions, with or without a ReLU behind it.

    Args:
        weight: (o, c, kernel...) float32.
        bias: (o,), or none.
        stride, padding: along each axis of the kernel; zeros stand on both sides.
        relu: whether negative values become 0.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        relu: bool,
    ) -> None:
        self.memory_format = {4: torch.channels_last, 5: torch.channels_last_3d}[weight.ndim]
        self.weight = weight
        self.bias = bias
        self.geometry = (padding, stride, [1] * len(stride), 1)
        self.behind: tuple[str, list[None], str] = ("relu" if relu else "none", [], "")
        self.sizes: torch.Size | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Maps (n, c, sizes...) to (n, o, sizes...), channels last in memory."""
        if x.shape[2:] != self.sizes:
            self._pack(x.shape[2:])
        x = x.contiguous(memory_format=self.memory_format)
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, *self.geometry, *self.behind
        )
        return y

    def _pack(self, sizes: torch.Size) -> None:
        # Which layout is fast depends on the sizes. One clip stands for any number of them, so
        # that what came first does not decide how the next is rounded.
        dense = self.weight.to_dense() if self.weight.is_mkldnn else self.weight
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            dense.contiguous(memory_format=self.memory_format),
            *self.geometry,
            [1, dense.shape[1], *sizes],
        )
        self.sizes = sizes


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether this PyTorch, on this processor, has the operators and they compute the sum."""
    x, weight = torch.arange(72.0).reshape(1, 8, 1, 3, 3) - 36, torch.ones(8, 8, 1, 3, 3)
    try:
        convolution = PackedConvolution(
            weight, None, stride=(1, 1, 1), padding=(0, 1, 1), relu=True
        )
        found = convolution(x)
    except (AttributeError, RuntimeError):
        return False
    expected = torch.conv3d(x, weight, padding=(0, 1, 1)).relu()
    return torch.allclose(found, expected)
