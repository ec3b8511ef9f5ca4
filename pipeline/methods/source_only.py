"""Source only: the source model as it is. The baseline that every method must beat."""

from collections.abc import Iterator

import torch

from pipeline.methods.method import Memory, Method
from pipeline.methods.pairs import Batch


class SourceOnly(Method):
    """Takes no step; it remembers what SHOT does, so that the log has the same columns."""

    def batches(
        self, memory: Memory, batch_size: int, generator: torch.Generator
    ) -> Iterator[Batch]:
        """None."""
        return iter(())
