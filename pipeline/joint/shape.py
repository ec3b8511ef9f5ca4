"""What a network of joint training is made for, and what all such networks have."""

from dataclasses import dataclass

from torch import nn

from pipeline.errors import UserError
from pipeline.features import Features


@dataclass(frozen=True)
class Shape:
    """The features that a network reads, the classes that it tells apart, its depth.

    dim      d, the width of a clip's feature in each modality
    classes  c
    clips    T, clips a video
    layers   L, at least 1: of what stands for the backbone
    dropout  share of values dropped while training, in [0, 1)
    """

    dim: int
    classes: int
    clips: int
    layers: int
    dropout: float


class JointNetwork(nn.Module):
    """Called with clips of both modalities (n, T, d) and noise, it says a named tuple of tensors.

    Every tensor has the videos first; one of them is `logits` (n, c).
    """

    dim: int
    classes: int
    clips: int | None = None
    """T, where the network reads no other number of clips; None: any."""

    def require(self, features: Features) -> None:
        """Raises UserError unless the network reads clips of this width and number."""
        if features.dim != self.dim:
            raise UserError(
                f"features are {features.dim} wide, the network expects {self.dim}; extract both "
                "domains' features with one backbone"
            )
        if self.clips not in (None, features.clips):
            raise UserError(
                f"features have {features.clips} clips a video, the network reads {self.clips}; "
                "extract both domains' features with the same clips.segments"
            )
