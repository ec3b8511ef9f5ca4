"""Inception-v1 I3D: the video network of Carreira and Zisserman, one per modality.

"Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", CVPR 2017; the branch widths
are those of Inception-v1 (Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, table 1).
Modules and parameters carry the names of the widely used PyTorch checkpoints `rgb_imagenet.pt` and
`flow_imagenet.pt`, so these load strictly.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]

# Channels of the branches of each Mixed block: 1x1 | 1x1, 3x3 | 1x1, 3x3 | pool, 1x1.
BRANCHES = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
POOLS: dict[str, tuple[Triple, Triple]] = {  # kernel, stride
    "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
}
LAYERS = (
    *("Conv3d_1a_7x7", "MaxPool3d_2a_3x3", "Conv3d_2b_1x1", "Conv3d_2c_3x3"),
    *("MaxPool3d_3a_3x3", "Mixed_3b", "Mixed_3c"),
    *("MaxPool3d_4a_3x3", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"),
    *("MaxPool3d_5a_2x2", "Mixed_5b", "Mixed_5c"),
)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis by TensorFlow's "same" rule; an odd one goes after.

    The output has ceil(size / stride) positions, so that the total is
    max((ceil(size / stride) - 1) * stride + kernel - size, 0).
    """
    positions = -(-size // stride)
    total = max((positions - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Unit3D(nn.Module):
    """Convolution with "same" padding and no bias, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        # At stride 1 the rule is symmetric for an odd kernel, whatever the input's size.
        padding = kernel // 2 if stride == 1 else 0
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs, t, h, w) to (n, outputs, ceil(t / stride), ...), values >= 0."""
        if self.kernel == 1:
            x = _pointwise(x, self.conv3d)
        else:
            x = self.conv3d(x if self.stride == 1 else pad_same(x, self.kernel, self.stride))
        return F.relu(self.bn(x), inplace=True)


def pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Maps (n, c, t, h, w) with zeros around them, as `same_padding` says for each axis."""
    sizes = reversed(x.shape[2:])  # F.pad wants the last axis first
    pads = [same_padding(size, kernel, stride) for size in sizes]
    return F.pad(x, [zeros for pair in pads for zeros in pair])


def _pointwise(x: Tensor, conv: nn.Conv3d) -> Tensor:
    # As a matrix product a 1 x 1 x 1 convolution leaves the channels last in memory, which makes
    # every layer behind it faster; on one CPU thread PyTorch's own takes a path that does not.
    return F.linear(x.movedim(1, -1), conv.weight.flatten(1), conv.bias).movedim(-1, 1)


class MaxPool3dSame(nn.Module):
    """Maximum over windows with "same" padding, for maps that are nowhere negative.

    The checkpoints were trained with zeros around the map. Here windows end at its border instead,
    which is equal: each map comes out of a ReLU and each window holds at least one of its values,
    so that a zero is never larger than the maximum.
    """

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, c, t, h, w) >= 0 to (n, c, ceil(t / stride), ...)."""
        axes = zip(x.shape[2:], self.kernel, self.stride, strict=True)
        before = [same_padding(*axis)[0] for axis in axes]
        return F.max_pool3d(x, self.kernel, self.stride, before, ceil_mode=True)


class Mixed(nn.Module):
    """An Inception block: four branches side by side, joined along the channels."""

    def __init__(self, inputs: int, branches: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = Unit3D(inputs, branches[0])
        self.b1a = Unit3D(inputs, branches[1])
        self.b1b = Unit3D(branches[1], branches[2], kernel=3)
        self.b2a = Unit3D(inputs, branches[3])
        self.b2b = Unit3D(branches[3], branches[4], kernel=3)
        self.b3a = MaxPool3dSame((3, 3, 3), (1, 1, 1))
        self.b3b = Unit3D(inputs, branches[5])
        self.outputs = branches[0] + branches[2] + branches[4] + branches[5]

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs, t, h, w) to (n, outputs, t, h, w)."""
        branches = (
            self.b0(x),
            self.b1b(self.b1a(x)),
            self.b2b(self.b2a(x)),
            self.b3b(self.b3a(x)),
        )
        return torch.cat(branches, dim=1)


class I3D(nn.Module):
    """Clips (n, c, t, h, w) to features (n, d), d = 1024 at width 1.

    Args:
        in_channels: 3 for RGB, 2 for flow.
        width: multiplies every channel count; the nearest multiple of 8 is taken, at least 8.
        classes: outputs of `classify`; 400 as in Kinetics.
        dropout: probability in front of the classifier, in training mode only.

    Attributes:
        dim: d, the length of a feature.
    """

    def __init__(
        self, in_channels: int, *, width: float = 1.0, classes: int = 400, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        stem, channels = _scaled((64, 192), width)
        self.Conv3d_1a_7x7 = Unit3D(in_channels, stem, kernel=7, stride=2)
        self.Conv3d_2b_1x1 = Unit3D(stem, stem)
        self.Conv3d_2c_3x3 = Unit3D(stem, channels, kernel=3)
        for name, branches in BRANCHES.items():
            block = Mixed(channels, _scaled(branches, width))
            self.add_module(name, block)
            channels = block.outputs
        for name, (kernel, stride) in POOLS.items():
            self.add_module(name, MaxPool3dSame(kernel, stride))
        self.dim = channels
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.Sequential(OrderedDict(conv3d=nn.Conv3d(channels, classes, 1)))

    def maps(self, clips: Tensor) -> Tensor:
        """Maps of Mixed_5c (n, d, ceil(t / 8), ceil(h / 32), ceil(w / 32)).

        Raises:
            ValueError: clips are not (n, in_channels, t, h, w) with t, h, w >= 1; "same" padding
                makes every such size work, but a side below 32 pixels leaves one position that
                has seen more padding than picture.
        """
        if clips.ndim != 5 or clips.shape[1] != self.in_channels or not clips.numel():
            raise ValueError(
                f"clips must have shape (n, {self.in_channels}, t, h, w), none of them 0; "
                f"found {tuple(clips.shape)}"
            )
        for name in LAYERS:
            clips = self.get_submodule(name)(clips)
        return clips

    def forward(self, clips: Tensor) -> Tensor:
        """Features (n, d): the mean over all positions of the last map, Mixed_5c.

        For 16 x 224 x 224 the map is 2 x 7 x 7, and this is the average pooling of the paper.

        Args:
            clips: (n, in_channels, t, h, w) in [-1, 1], of the parameters' type.

        Returns:
            float32, whatever the parameters' type: the mean is not rounded to it.

        Raises:
            ValueError: the shape does not fit; see `maps`.
        """
        return self.maps(clips).mean(dim=(2, 3, 4), dtype=torch.float32)

    def classify(self, clips: Tensor) -> Tensor:
        """Logits (n, classes): the mean over all positions of the classifier's outputs.

        The classifier is linear, so it is applied once, to the mean. Arguments as `forward`.
        """
        features = self.dropout(self(clips))
        return self.logits(features[:, :, None, None, None]).flatten(1)


def _scaled(channels: tuple[int, ...], width: float) -> tuple[int, ...]:
    return tuple(max(8, 8 * round(count * width / 8)) for count in channels)
