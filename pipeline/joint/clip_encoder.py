"""What stands for the backbone in networks that read clips: a branch that keeps them apart.

The layers are those of the relation network (`pipeline/network.py`), without the mean over the
clips at their end. The backbone is frozen, so that they are all that learns below a clip's feature;
through their attention a clip knows of the other clips of its video, but not of their order.

Letters: n videos, T clips, d features.
"""

from torch import Tensor, nn

from pipeline.network import RelationLayer
from pipeline.noise import Noise


class ClipEncoder(nn.Module):
    """The layers of one modality."""

    def __init__(self, dim: int, layers: int, dropout: float):
        super().__init__()
        self.layers = nn.ModuleList(RelationLayer(dim, dropout) for _ in range(layers))

    def forward(self, clips: Tensor, noise: Noise | None) -> Tensor:
        """Clips (n, T, d) -> clips (n, T, d)."""
        for layer in self.layers:
            clips, _ = layer(clips, noise)
        return clips


def dropped(values: Tensor, share: float, noise: Noise | None) -> Tensor:
    """Dropout in training, which has noise; the values as they are without."""
    return values if noise is None else noise.drop(values, share)
