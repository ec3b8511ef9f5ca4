"""The Inception I3D in the form that is fastest on a CPU, for inference only.

Convolutions have their weights packed and their ReLU built in, and large ones need fewer products
along time. It takes neither a compiler nor a warm-up.
"""

import copy
import math
from functools import cached_property

import torch
from torch import Tensor, nn

from pipeline.backbones.i3d import Unit3D, pad_same
from pipeline.backbones.packed import PackedConvolution
from pipeline.backbones.winograd import TimeWinograd

# With fewer, the transforms along time cost more than the products that they save.
MANY, LONG = 2**28, 3  # products a clip, frames of the output


class FrozenUnit(nn.Module):
    """A `Unit3D` without batch norm."""

    def __init__(self, unit: Unit3D) -> None:
        super().__init__()
        if unit.conv3d.bias is None:
            raise ValueError("fold the batch normalisation first: the convolution has no bias")
        self.weight, self.bias = unit.conv3d.weight, unit.conv3d.bias
        self.kernel, self.stride = unit.kernel, unit.stride
        self.padding = unit.kernel // 2 if unit.stride == 1 else 0

    @cached_property
    def direct(self) -> PackedConvolution:
        """The convolution as it is."""
        steps, zeros = (self.stride,) * 3, (self.padding,) * 3
        return PackedConvolution(self.weight, self.bias, stride=steps, padding=zeros, relu=True)

    @cached_property
    def along_time(self) -> TimeWinograd:
        """The same with fewer products."""
        return TimeWinograd(self.weight, self.bias, stride=self.stride, padding=self.padding)

    def forward(self, x: Tensor) -> Tensor:
        """As `Unit3D.forward`."""
        if self.stride > 1:
            x = pad_same(x, self.kernel, self.stride)
        return self.convolution(x.shape[2:])(x)

    def convolution(self, sizes: torch.Size) -> PackedConvolution | TimeWinograd:
        """The faster one for padded maps of these sizes (t, h, w), however many clips they are."""
        made = [(s + 2 * self.padding - self.kernel) // self.stride + 1 for s in sizes]
        many = math.prod(made) * self.weight.numel() >= MANY
        return self.along_time if self.kernel > 1 and many and made[0] >= LONG else self.direct


def freeze(folded: nn.Module) -> nn.Module:
    """A copy of a network without batch norm, with equal outputs up to rounding.

    Units of an `I3D` take their frozen form; another network's modules stay as they are. A clip's
    feature has the same bits alone and in any batch.

    Raises:
        ValueError: batch normalisation is not folded; see `folding`.
    """
    frozen = copy.deepcopy(folded)
    for name, module in list(frozen.named_modules()):
        if isinstance(module, Unit3D):
            frozen.set_submodule(name, FrozenUnit(module))
    return frozen
