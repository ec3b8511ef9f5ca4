"""What a network knows of the clips that it was trained on, and how it takes in those of others.

Another camera moves and stretches the features of clips. Setting each feature's mean and deviation
to those that the network was trained on undoes the part of it that is the same for all videos. It
is AdaBN (Li et al., "Revisiting Batch Normalization for Practical Domain Adaptation", 2016) at the
network's entrance: it needs no batch normalisation inside, no label and no training, and of the
source 4 d numbers that the model carries. It supposes classes about as frequent as the source's:
what a domain has more of moves its mean too.
"""

import torch
from torch import Tensor, nn

from pipeline.features import Features

FLOOR = 1e-3  # of the mean deviation; a feature that hardly moves is not blown up without end


class InputStatistics(nn.Module):
    """Clips in, clips out: each feature times `gain` plus `shift`, which begin as 1 and 0.

    Buffers, (2, d) each, rgb and then flow: `mean` and `deviation` of the clips that the network
    was trained on, `gain` and `shift` of those that it is given.
    """

    mean: Tensor
    deviation: Tensor
    gain: Tensor
    shift: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, dim))
        self.register_buffer("deviation", torch.ones(2, dim))
        self.register_buffer("gain", torch.ones(2, dim))
        self.register_buffer("shift", torch.zeros(2, dim))

    def forward(self, rgb: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Clips (n, T, d) of both modalities, as the network behind it expects them."""
        return rgb * self.gain[0] + self.shift[0], flow * self.gain[1] + self.shift[1]

    def know(self, features: Features) -> None:
        """Notes the statistics of the clips that the network was trained on."""
        mean, deviation = moments(features)
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    def match(self, features: Features) -> None:
        """Gives clips like these the mean and the deviation of those that the network knows."""
        mean, deviation = (value.to(self.mean) for value in moments(features))
        floor = FLOOR * deviation.mean(dim=1, keepdim=True)
        # without any deviation, all clips are equal, and a gain would not change them
        gain = self.deviation / torch.maximum(deviation, floor).clamp(min=1e-12)
        gain = torch.where(deviation > 0, gain, 1.0)
        self.gain.copy_(gain)
        self.shift.copy_(self.mean - gain * mean)

    def release(self) -> None:
        """Lets clips through as they are: those of the source, which the network was trained on."""
        self.gain.fill_(1)
        self.shift.zero_()


def moments(features: Features) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each feature over all clips, (2, d) each, rgb and then flow."""
    both = torch.stack([features.rgb, features.flow]).flatten(1, 2).double()  # (2, n T, d)
    return both.mean(dim=1).float(), both.std(dim=1, correction=0).float()
