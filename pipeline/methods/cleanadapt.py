"""CleanAdapt: the source model's own labels, of which only the credible ones are learnt.

Dasgupta et al., "Overcoming Label Noise for Source-free Unsupervised Video Domain Adaptation",
ICVGIP 2022. Each video keeps the source model's prediction as its label; every epoch the network
learns from the videos alone that fit their labels best, the same share of each label.

What differs: one network reads both modalities, so there is one cross-entropy a video, where the
original adds those of an RGB and a flow network; what is fine-tuned, the classifier included, is
the network above stored features, not I3D; a batch is drawn from all videos and the others in it
weigh 0, so that a batch of B learns from about r B videos (the seeds' steps stay of one shape);
epochs, lr and batch size are params.yaml's (original: 100, 0.01 with drops, 48).
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
from pipeline.noisy_label_losses import kept_cross_entropy, small_losses
from pipeline.runs import Tensors


@dataclass(frozen=True)
class CleanAdapt(Unpaired):
    """Uses none of the weights."""

    share: float = 0.5
    """r, of the videos of each label that are learnt from, in (0, 1] (the authors' example)."""

    frozen = ()

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """The labels."""
        return {"labels": predictions.logits.argmax(dim=1)}

    def remember(self, predictions: Output, state: State) -> Memory:
        """The labels, and which videos are learnt from (`kept`)."""
        labels = state["labels"]
        losses = F.cross_entropy(predictions.logits, labels, reduction="none")
        kept = small_losses(losses, labels, self.share)
        return Memory(labels, *entropy_split(predictions.logits), {"kept": kept})

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Cross-entropy of the videos that are learnt from."""
        videos = batch.videos
        logits = model(features.rgb[videos], features.flow[videos]).logits
        labels, kept = memory.pseudo_labels[videos], memory.notes["kept"][videos]
        return {"kept_label": kept_cross_entropy(logits, labels, kept)}
