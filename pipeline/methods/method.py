"""What a method of adaptation is: what it remembers each epoch, its batches, its loss terms.

The training loop owns everything else: optimiser, device, seeds, logs. No method can see a label:
it gets `Features` and the network's own predictions, nothing more.

A method is written for one run. The loop trains several seeds at once, as one batched model
(`torch.vmap`), so `losses` and `after_step` may not turn a tensor into a Python number, nor choose
videos by a condition: they weigh them with 0 instead. `begin`, `remember` and `batches` are called
run by run and may do anything.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.losses import centroid_pseudo_labels, entropy_split
from pipeline.methods.pairs import Batch, paired_batches
from pipeline.model import Model, State
from pipeline.network import Output, RelationNetwork
from pipeline.runs import Tensors


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
    notes: Mapping[str, Tensor] = {}
    """What else a method wants to know, by name; the shapes are the same in every run."""


class Extra(NamedTuple):
    """A module that a method trains beside the network."""

    module: nn.Module
    adam_lr: float | None = None
    """Learning rate of Adam (betas 0.5, 0.999); None: by the network's own descent."""


@dataclass(frozen=True)
class Method:
    """The defaults of every method: SHOT's pseudo-labels, MTRAN's halves and pairs, no state."""

    weights: Weights

    frozen: ClassVar[tuple[str, ...]] = ("classifier.",)
    """Beginnings of the names of weights that stay as they are."""

    def settings(self, settings: Settings) -> Settings:
        """The descent's settings, where the method insists on some of its own."""
        return settings

    def extras(self, network: RelationNetwork, clips: int, seed: int) -> dict[str, Extra]:
        """What is trained beside the source model `network`, for videos of T = `clips` clips."""
        return {}

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """The state before the first step, from the source model's predictions and weights."""
        return {}

    def remember(self, predictions: Output, state: State) -> Memory:
        """What the coming epoch needs; `predictions` are of all n videos, without dropout."""
        probabilities = predictions.logits.softmax(dim=1)
        labels = centroid_pseudo_labels(predictions.fused, probabilities)
        return Memory(labels, *entropy_split(predictions.logits))

    def batches(
        self, memory: Memory, batch_size: int, generator: torch.Generator
    ) -> Iterator[Batch]:
        """The batches of an epoch, at most `batch_size` videos each; none if nothing is learnt."""
        return paired_batches(memory.high, memory.low, batch_size, self.weights.alpha, generator)

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """The batch's named loss terms, already weighted; the step descends their sum."""
        raise NotImplementedError

    def after_step(self, model: Model, batch: Batch) -> dict[str, Any]:
        """The next state, from `model.state`, `model.kept` and the new `model.weights`."""
        return dict(model.state)

    def reported(self, weights: Tensors, state: State) -> Tensors:
        """The weights that count as the result: the network's, or a teacher's of the state."""
        return weights
