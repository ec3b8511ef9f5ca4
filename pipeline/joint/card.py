"""The card of late fusion networks on disk."""

from dataclasses import dataclass

from pipeline.checkpoints import ModelCard
from pipeline.joint.late_fusion import LateFusionNetwork


@dataclass(frozen=True)
class LateFusionCard(ModelCard):
    """What a late fusion network is; batch_norm: whether it normalises the features."""

    batch_norm: bool = False

    def new_network(self, seed: int) -> LateFusionNetwork:
        """An untrained network of this shape."""
        return LateFusionNetwork(
            self.dim,
            len(self.classes),
            layers=self.layers,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
            seed=seed,
        )
