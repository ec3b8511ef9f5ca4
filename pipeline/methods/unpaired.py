"""Batches without pairs: all videos, whatever their confidence, shuffled."""

from collections.abc import Iterator

import torch

from pipeline.methods.method import Memory, Method
from pipeline.methods.pairs import Batch


class Unpaired(Method):
    """A method whose videos have no partner."""

    def batches(
        self, memory: Memory, batch_size: int, generator: torch.Generator
    ) -> Iterator[Batch]:
        """All videos, shuffled."""
        labels = memory.pseudo_labels
        return unpaired_batches(len(labels), batch_size, generator, labels.device)


def unpaired_batches(
    count: int, batch_size: int, generator: torch.Generator, device: torch.device
) -> Iterator[Batch]:
    """Every video once, whatever its confidence; a last single one is left out.

    Args:
        count: n, videos, at least 2.
        batch_size: videos a batch, at least 2.
        generator: on the CPU.
        device: of the positions.
    """
    order = torch.randperm(count, generator=generator).to(device)
    for chosen in order.split(batch_size):
        if len(chosen) > 1:
            yield Batch(chosen, chosen[:0], chosen[:0].float())
