"""SFDA: labels of the source model give way to those of an adaptive prototype memory. Source-free.

Kim, Cho, Han, Panda and Hong, "Domain Adaptation without Source Data", IEEE Transactions on
Artificial Intelligence 2021. The network keeps two classifiers, both trained: one learns what the
source model said, the other, which counts, what the prototypes say; the first loss fades out while
the second comes in. Formulas are those of the authors' code. Ours differs:

- The memory is refreshed every epoch, not every 100 steps, which on a target of a few hundred
  videos would be many epochs; labels and their acceptance stay as they are until then.
- Prototypes of a class are not repeated up to one number for all: a mean needs no such padding.
- Predictions are made without dropout, and the last epoch counts, not the best on labelled videos.
- One learning rate: above stored features there is no pretrained backbone to train more gently.
"""

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from pipeline.descent import Settings
from pipeline.features import Features
from pipeline.losses import entropy_split
from pipeline.methods.method import Extra, Memory, Method
from pipeline.methods.pairs import Batch
from pipeline.model import Model, State
from pipeline.network import Output, RelationNetwork
from pipeline.prototypes import prototype_labels, surest_videos
from pipeline.runs import Tensors
from pipeline.weighted_losses import weighted_cross_entropy


@dataclass(frozen=True)
class Sfda(Method):
    """(1 - a) * source labels + a * accepted prototype labels; it uses none of the weights."""

    prototypes: int = 100
    """Prototypes of a class, at most (the authors' code)."""
    weight_decay: float = 5e-4
    """Of the descent (the authors' code)."""

    frozen = ()

    def settings(self, settings: Settings) -> Settings:
        """The paper's: Nesterov's momentum, weight decay, a falling learning rate."""
        return replace(settings, nesterov=True, weight_decay=self.weight_decay, schedule="decay")

    def extras(self, network: RelationNetwork, clips: int, seed: int) -> dict[str, Extra]:
        """The classifier that learns the source model's labels; it starts as the source's."""
        return {"source_classifier": Extra(copy.deepcopy(network.classifier))}

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """What the source model says, for good."""
        return {"source_labels": predictions.logits.argmax(dim=1)}

    def remember(self, predictions: Output, state: State) -> Memory:
        """The prototypes' labels, and which of them are accepted: 1, the others 0."""
        prototypes = surest_videos(predictions.logits, self.prototypes)
        labels, accepted = prototype_labels(predictions.fused, prototypes)
        notes = {"accepted": accepted.to(predictions.fused.dtype)}
        return Memory(labels, *entropy_split(predictions.logits), notes)

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Both classifiers' cross-entropies, the second one's more and more."""
        videos, share = batch.videos, prototype_share(model.progress)
        seen = model(features.rgb[videos], features.flow[videos])
        by_source = model.extra("source_classifier", seen.fused)
        labels, accepted = memory.pseudo_labels[videos], memory.notes["accepted"][videos]
        return {
            "source_label": (1 - share)
            * F.cross_entropy(by_source, model.state["source_labels"][videos]),
            "prototype_label": share * weighted_cross_entropy(seen.logits, labels, accepted),
        }


def prototype_share(progress: float) -> float:
    """The a of the loss, in [0, 1): 0 at first, 0.99 when a quarter of the run is over."""
    return 2 / (1 + math.exp(-20 * progress)) - 1
