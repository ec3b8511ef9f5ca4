"""Batches: pairs of a video of high and one of low confidence."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """b pairs of videos, and the random number of each; without pairs, all videos are in `high`."""

    high: Tensor
    """(b,), positions of videos of high confidence."""
    low: Tensor
    """(b,), positions of videos of low confidence."""
    draws: Tensor
    """(b,), lambda' in [0, 1], from Beta(alpha, alpha)."""

    @property
    def videos(self) -> Tensor:
        """(2b,), positions of all videos of the batch: first the sure ones, then the others."""
        return torch.cat([self.high, self.low])


def paired_batches(
    high: Tensor, low: Tensor, batch_size: int, alpha: float, generator: torch.Generator
) -> Iterator[Batch]:
    """Every video once, in batches of half high and half low confidence (MTRAN, section 3.4).

    The last batch may be smaller. Of an odd number of videos one of low confidence, another each
    epoch, is left out. Random numbers come from the CPU whatever the device of the positions.

    Args:
        high: (n // 2,), positions of videos of high confidence.
        low: (n - n // 2,), positions of the others.
        batch_size: videos a batch, at least 2; an odd one counts as one less.
        alpha: of the draws' distribution Beta(alpha, alpha).
        generator: on the CPU; used up the same way whatever the losses are.
    """
    device, pairs = high.device, len(high)
    high = high[torch.randperm(pairs, generator=generator).to(device)]
    low = low[torch.randperm(len(low), generator=generator).to(device)[:pairs]]
    draws = symmetric_beta(pairs, alpha, generator).to(device)
    for start in range(0, pairs, batch_size // 2):
        chosen = slice(start, start + batch_size // 2)
        yield Batch(high[chosen], low[chosen], draws[chosen])


def symmetric_beta(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draws of Beta(alpha, alpha), float32 (count,), from two uniform numbers each.

    Bailey's polar method for Student's t with 2 alpha degrees of freedom (Mathematics of
    Computation 62, 1994), and X = (1 + t / sqrt(2 alpha + t^2)) / 2. Exact for any alpha > 0 and
    without rejection; PyTorch's own Beta takes no generator.
    """
    uniform = torch.rand(2, count, dtype=torch.float64, generator=generator)
    radius = (1 - uniform[0]) ** (1 / alpha)  # (0, 1]
    cosine = (2 * math.pi * uniform[1]).cos()
    spread = (1 - radius) * cosine.square()
    return ((1 + cosine.sign() * (spread / (radius + spread)).sqrt()) / 2).float()
