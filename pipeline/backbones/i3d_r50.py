"""I3D on a ResNet-50, as pytorchvideo builds it (imported when a network is made).

Architecture and Kinetics weights: pytorchvideo's model zoo, "I3D R50 8x8" (Fan et al.,
"PyTorchVideo: A Deep Learning Library for Video Understanding", ACM Multimedia 2021).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pipeline.backbones.torchvision_stand_in import torchvision_supplied

DIM = 2048
STEM = "blocks.0.conv.weight"
MEAN, STD = 0.45, 0.225  # of pixels in [0, 1]: what the published weights were trained with


class I3DR50(nn.Module):
    """Clips (n, c, t, h, w) to features (n, 2048).

    The parameters are named as in pytorchvideo's checkpoint, its classification head included,
    so that it loads strictly; the head itself pools 4 x 7 x 7 positions, fits one size of clip
    and is not used.

    Args:
        in_channels: 3 for RGB, 2 for flow.

    Attributes:
        dim: d, the length of a feature.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        with torchvision_supplied():
            from pytorchvideo.models.hub.resnet import i3d_r50
        self.in_channels = in_channels
        self.blocks: nn.ModuleList = i3d_r50(input_channel=in_channels).blocks
        self.dim = DIM

    def forward(self, clips: Tensor) -> Tensor:
        """Features (n, 2048): the mean over all positions of the last residual block.

        RGB goes from [-1, 1] to the normalisation of the published weights. A displacement of 0
        stays 0, and flow gets the scale of RGB.

        Args:
            clips: (n, in_channels, t, h, w) in [-1, 1], of the parameters' type.

        Raises:
            ValueError: another shape, or t < 2 (the network halves the frames once).
        """
        if clips.ndim != 5 or clips.shape[1] != self.in_channels or not clips.numel():
            raise ValueError(
                f"clips must have shape (n, {self.in_channels}, t, h, w), none of them 0; "
                f"found {tuple(clips.shape)}"
            )
        if clips.shape[2] < 2:
            raise ValueError(f"i3d_r50 needs clips of at least 2 frames; found {clips.shape[2]}")
        centre = MEAN if self.in_channels == 3 else 0.5
        maps = (clips / 2 + (0.5 - centre)) / STD
        for block in self.blocks[:-1]:
            maps = block(maps)
        return maps.mean(dim=(2, 3, 4), dtype=torch.float32)


def flow_from_rgb(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State of a flow network made of an RGB one: its stem averaged over the three channels.

    Wang et al., "Temporal Segment Networks", ECCV 2016, section 3.2 (cross-modality
    pre-training). There the network is then trained on flow; no such weights are published for
    this one, so its flow features come from filters that have seen RGB only.
    """
    averaged = state[STEM].mean(dim=1, keepdim=True)
    return {**state, STEM: averaged.repeat(1, 2, 1, 1, 1)}
