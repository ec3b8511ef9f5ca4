"""CleanAdapt: the source model's own labels, of which only the credible ones are learnt.

Dasgupta et al., "Overcoming Label Noise for Source-free Unsupervised Video Domain Adaptation",
ICVGIP 2022. Each video keeps the source model's prediction as its label; every epoch the network
learns from the videos alone that fit their labels best, the same share of each label.

Ours is that the labels weigh the same in the loss. In its first steps the original's plain mean
draws a weak source model to the label that it gives most: on made-up domains two epochs at lr 0.001
cost 20 points (six runs; the worst 33), and still 16 when only right labels were kept, so it is
their numbers that harm, not their faults. With equal weights the same runs gain 17 (the worst 7).
Too long a step can still harm: at lr 0.01 5 of 30 runs lost more than 5 points, 10 as published.

What differs besides: one network reads both modalities, so there is one cross-entropy a video,
where the original adds those of an RGB and a flow network; what is fine-tuned, the classifier
included, is the network above stored features, not I3D; a batch is drawn from all videos and the
others in it weigh 0, so that a batch of B learns from about r B videos (the seeds' steps stay of
one shape); epochs, lr and batch size are params.yaml's (original: 100, 0.01 with drops, 48).
"""

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from pipeline.features import Features
from pipeline.losses import entropy_split
from pipeline.methods.method import Memory
from pipeline.methods.pairs import Batch
from pipeline.methods.unpaired import Unpaired
from pipeline.model import Model, State
from pipeline.network import Output
from pipeline.noisy_label_losses import balanced_weights, kept_cross_entropy, small_losses
from pipeline.runs import Tensors


@dataclass(frozen=True)
class CleanAdapt(Unpaired):
    """Uses none of the weights."""

    share: float = 0.5
    """r, of the videos of each label that are learnt from, in (0, 1] (the authors' example)."""
    balance: float = 1.0
    """How evenly the labels weigh, in [0, 1]; 0: by their numbers, as published. Ours."""

    frozen = ()

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """The labels."""
        return {"labels": predictions.logits.argmax(dim=1)}

    def remember(self, predictions: Output, state: State) -> Memory:
        """The labels, and which videos are learnt from (`kept`), with which `weight`."""
        labels = state["labels"]
        return self.learnt(predictions, labels, labels)

    def learnt(self, predictions: Output, labels: Tensor, before: Tensor) -> Memory:
        """Labels (n,), of which those are kept whose video fits its label `before` (n,) best."""
        losses = F.cross_entropy(predictions.logits, before, reduction="none")
        kept = small_losses(losses, labels, self.share)
        notes = {"kept": kept, "weight": balanced_weights(labels, kept, self.balance)}
        return Memory(labels, *entropy_split(predictions.logits), notes)

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Cross-entropy of the videos that are learnt from."""
        videos = batch.videos
        logits = model(features.rgb[videos], features.flow[videos]).logits
        labels, weights = memory.pseudo_labels[videos], memory.notes["weight"][videos]
        return {"kept_label": kept_cross_entropy(logits, labels, weights)}
