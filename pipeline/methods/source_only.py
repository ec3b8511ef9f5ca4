"""Source only: the source model as it is. The baseline that every method must beat."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pipeline.features import Features
from pipeline.methods.method import Batch, Memory, Network
from pipeline.methods.shot import remember
from pipeline.network import Output


class SourceOnly:
    """Takes no step; it remembers what SHOT does, so that the log has the same columns."""

    def remember(self, predictions: Output) -> Memory:
        """Pseudo-labels and halves by confidence, for the log alone."""
        return remember(predictions)

    def batches(
        self, memory: Memory, batch_size: int, generator: torch.Generator
    ) -> Iterator[Batch]:
        """None."""
        return iter(())

    def losses(
        self, model: Network, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """None."""
        return {}
