"""SHOT: information maximisation, and pseudo-labels from class centroids. Source-free.

Liang, Hu and Feng, "Do We Really Need to Access the Source Data? Source Hypothesis Transfer for
Unsupervised Domain Adaptation", ICML 2020; without batch normalisation and weight decay, as MTRAN
compares it. MTRAN (ACM MM 2022) prints the same accuracies for SHOT and for MTRAN without relative
alignment, so both are this code, batches included: SHOT's own would be shuffled without halves.
"""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from pipeline.features import Features
from pipeline.losses import information_maximisation
from pipeline.methods.method import Memory, Method, Weights
from pipeline.methods.pairs import Batch
from pipeline.model import Model


def clustering(logits: Tensor, pseudo_labels: Tensor, lambda1: float) -> dict[str, Tensor]:
    """SHOT's objective, term by term: logits (n, c) and pseudo-labels (n,) of one batch."""
    return {
        "information_maximisation": information_maximisation(logits),
        "pseudo_label": lambda1 * F.cross_entropy(logits, pseudo_labels),
    }


class Shot(Method):
    """Uses `lambda1` of the weights alone."""

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """Information maximisation and pseudo-labels."""
        videos = batch.videos
        real = model(features.rgb[videos], features.flow[videos])
        return clustering(real.logits, memory.pseudo_labels[videos], self.weights.lambda1)


def shot_im(weights: Weights) -> Shot:
    """SHOT's ablation SHOT-IM: information maximisation alone."""
    return Shot(replace(weights, lambda1=0.0))
