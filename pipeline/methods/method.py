"""What a method of adaptation is: what it remembers each epoch, its batches, its loss terms.

The training loop owns everything else: optimiser, device, train and eval mode, seeds, logs. No
method can see a label: it gets `Features` and the network's own predictions, nothing more.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.network import Output

Network = Callable[[Tensor, Tensor], Output]


@dataclass(frozen=True)
class Weights:
    """How much each loss counts, and how videos are mixed; the defaults are MTRAN's for UCF-HMDB.

    Raises:
        UserError: a value out of its range.
    """

    lambda1: float = 3.0
    """Weight of the pseudo-labels, at least 0."""
    lambda2: float = 1.0
    """Weight of multimodal relative alignment, at least 0."""
    lambda3: float = 0.05
    """Weight of temporal relative alignment, at least 0."""
    alpha: float = 0.85
    """Of the distribution Beta(alpha, alpha) that mixing is drawn from, above 0."""
    tau: float = 0.9
    """Temperature of mixing, above 0; below 1 the target leans to the surer video."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            positive = field.name in {"alpha", "tau"}
            if not math.isfinite(value) or value < 0 or (positive and value == 0):
                bound = "above 0" if positive else "at least 0"
                raise UserError(f"{field.name} must be finite and {bound}; found {value}")


class Memory(NamedTuple):
    """What a method knows of the whole target at the start of an epoch."""

    pseudo_labels: Tensor
    """(n,), integers in [0, c)."""
    high: Tensor
    """(n // 2,), positions of the videos of high confidence, surest first."""
    low: Tensor
    """(n - n // 2,), positions of the others."""


class Batch(NamedTuple):
    """b pairs of videos, and the random number of each; all randomness of a step but dropout."""

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


class Method(Protocol):
    """The three things that the training loop asks of a method."""

    def remember(self, predictions: Output) -> Memory:
        """What the coming epoch needs; `predictions` are of all n videos, in eval mode."""
        ...

    def batches(
        self, memory: Memory, batch_size: int, generator: torch.Generator
    ) -> Iterator[Batch]:
        """The batches of an epoch, at most `batch_size` videos each; none if nothing is learnt."""
        ...

    def losses(
        self, model: Network, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """The batch's named loss terms, already weighted; the step descends their sum."""
        ...
