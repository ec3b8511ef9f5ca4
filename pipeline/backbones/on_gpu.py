"""The Inception I3D in the form that is fastest on a GPU, for inference only.

cuDNN has no fast kernel in bfloat16 for the stem's 3 or 2 channels, nor PyTorch one for pooling in
three dimensions. Both are replaced by equal operations that have one.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.backbones.i3d import MaxPool3dSame, Unit3D, same_padding


class BlockStem(nn.Module):
    """A `Unit3D` of stride 2 and an odd kernel, without batch norm.

    Blocks of 2 x 2 x 2 pixels become the channels of one pixel each (Shi et al., "Real-time single
    image and video super-resolution", CVPR 2016, the other way round), so that a kernel of k at
    stride 2 is one of (k + 1) / 2 at stride 1.
    """

    def __init__(self, unit: Unit3D) -> None:
        super().__init__()
        self.kernel, conv = unit.kernel, unit.conv3d
        blocks = _blocks(F.pad(conv.weight, (0, 1) * 3))
        blocks = blocks.contiguous(memory_format=torch.channels_last_3d)
        self.weight, self.bias = nn.Parameter(blocks, requires_grad=False), conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """As `Unit3D.forward`."""
        pads: list[int] = []
        for size in x.shape[2:]:
            before, after = same_padding(size, self.kernel, 2)
            pads = [before, after + (size + before + after) % 2, *pads]
        return F.relu_(F.conv3d(_blocks(F.pad(x, pads)), self.weight, self.bias))


def _blocks(x: Tensor) -> Tensor:
    """Maps (n, c, t, h, w), even sizes, to (n, 8 c, t / 2, h / 2, w / 2), channels last."""
    n, c, t, h, w = x.shape
    x = x.movedim(1, -1).reshape(n, t // 2, 2, h // 2, 2, w // 2, 2, c)
    x = x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(n, t // 2, h // 2, w // 2, 8 * c)
    return x.movedim(-1, 1)


class TwoPools(nn.Module):
    """A `MaxPool3dSame` as pooling of frames, then along time."""

    def __init__(self, pool: MaxPool3dSame) -> None:
        super().__init__()
        self.kernel, self.stride = pool.kernel, pool.stride

    def forward(self, x: Tensor) -> Tensor:
        """As `MaxPool3dSame.forward`; maps with channels last in memory are never copied."""
        axes = zip(x.shape[2:], self.kernel, self.stride, strict=True)
        frames, *pads = (same_padding(*axis)[0] for axis in axes)
        (k, *kernel), (s, *stride) = self.kernel, self.stride
        images = x.movedim(2, 1).flatten(0, 1)
        images = F.max_pool2d(images, kernel, stride, pads, ceil_mode=True)
        x = images.unflatten(0, (len(x), -1)).movedim(1, 2)
        if k == 1:
            return x
        lines = F.max_pool2d(x.flatten(3), (k, 1), (s, 1), (frames, 0), ceil_mode=True)
        return lines.unflatten(3, x.shape[3:])


def on_gpu(folded: nn.Module) -> nn.Module:
    """A copy of a network without batch norm, with equal outputs up to rounding.

    An `I3D`'s stem and pools take their fast form; another network stays as it is.
    """
    fast = copy.deepcopy(folded)
    for name, module in list(fast.named_modules()):
        if isinstance(module, MaxPool3dSame):
            fast.set_submodule(name, TwoPools(module))
        elif isinstance(module, Unit3D) and module.stride == 2:
            fast.set_submodule(name, BlockStem(module))
    return fast
