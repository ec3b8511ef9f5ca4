"""SHOT: information maximisation, and pseudo-labels from class centroids. Source-free.

Liang, Hu and Feng, "Do We Really Need to Access the Source Data? Source Hypothesis Transfer for
Unsupervised Domain Adaptation", ICML 2020; without batch normalisation and weight decay, as MTRAN
compares it. MTRAN (ACM MM 2022) prints the same accuracies for SHOT and for MTRAN without relative
alignment, so both are this code, batches included: SHOT's own would be shuffled without halves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.features import Features
from pipeline.losses import centroid_pseudo_labels, entropy_split, information_maximisation
from pipeline.methods.method import Batch, Memory, Network, Weights
from pipeline.methods.pairs import paired_batches
from pipeline.network import Output


def remember(predictions: Output) -> Memory:
    """Pseudo-labels, and the videos of high and low confidence."""
    probabilities = predictions.logits.softmax(dim=1)
    labels = centroid_pseudo_labels(predictions.fused, probabilities)
    return Memory(labels, *entropy_split(predictions.logits))


def clustering(logits: Tensor, pseudo_labels: Tensor, lambda1: float) -> dict[str, Tensor]:
    """SHOT's objective, term by term: logits (n, c) and pseudo-labels (n,) of one batch."""
    return {
        "information_maximisation": information_maximisation(logits),
        "pseudo_label": lambda1 * F.cross_entropy(logits, pseudo_labels),
    }


@dataclass(frozen=True)
class Shot:
    """Uses `lambda1` of the weights alone; `lambda1` = 0 is SHOT-IM."""

    weights: Weights

    def remember(self, predictions: Output) -> Memory:
        """Pseudo-labels, and the videos of high and low confidence."""
        return remember(predictions)

    def batches(
        self, memory: Memory, batch_size: int, generator: torch.Generator
    ) -> Iterator[Batch]:
        """Every video once, half of each batch from the videos of high confidence."""
        return paired_batches(memory, batch_size, self.weights.alpha, generator)

    def losses(
        self, model: Network, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Information maximisation and pseudo-labels."""
        videos = batch.videos
        real = model(features.rgb[videos], features.flow[videos])
        return clustering(real.logits, memory.pseudo_labels[videos], self.weights.lambda1)
