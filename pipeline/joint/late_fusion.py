"""The late fusion network: a branch and a linear classifier per modality, logits averaged.

Kim et al., "Learning Cross-modal Contrastive Features for Video Domain Adaptation", ICCV 2021, on
stored clip features: the branches are those of the relation network, whose pooled outputs stand for
the two-stream I3D's features. The logits of the two streams are averaged; the code of MM-SADA
(Munro and Damen, CVPR 2020) adds them. Dropout stands before the classifiers.

With `batch_norm`, a batch normalisation follows each branch. A training pass uses the statistics of
the clips that it is given, so that passes of source and target are normalised each by its own; a
pass without noise uses those that `with_statistics` stored.

Letters: n videos, T clips, d features, c classes, L layers.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.joint.clip_encoder import dropped
from pipeline.joint.feature_norm import FeatureNorm
from pipeline.joint.shape import JointNetwork, Shape
from pipeline.network import Branch
from pipeline.noise import Noise, initial_weights


class LateOutput(NamedTuple):
    """What the network says of n videos; every field has the videos first."""

    logits: Tensor
    """(n, c), unnormalised: the mean of the streams'."""
    rgb: Tensor
    """(n, d), F^a in the paper: mean over the clips, normalised if the network does that."""
    flow: Tensor
    """(n, d), F^m."""
    rgb_logits: Tensor
    """(n, c), of RGB alone."""
    flow_logits: Tensor
    """(n, c), of flow alone."""
    rgb_pooled: Tensor
    """(n, d): the branch's output, before any normalisation."""
    flow_pooled: Tensor
    """(n, d)."""


class LateFusionNetwork(JointNetwork):
    """Two branches and two classifiers; a function of its weights, inputs and noise.

    Args:
        dim: d, the width of a clip's feature in each modality, and of everything inside.
        classes: c.
        layers: L, at least 1.
        dropout: share of values dropped while training, in [0, 1).
        batch_norm: whether a batch normalisation follows each branch.
        seed: of the initial weights; the global random numbers are left alone.
    """

    def __init__(
        self,
        dim: int,
        classes: int,
        *,
        layers: int = 6,
        dropout: float = 0.3,
        batch_norm: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.dim = dim
        self.classes = classes
        self.dropout = dropout
        self.batch_norm = batch_norm
        with initial_weights(seed):
            self.rgb = Branch(dim, layers, dropout)
            self.flow = Branch(dim, layers, dropout)
            self.rgb_classifier = new_classifier(dim, classes)
            self.flow_classifier = new_classifier(dim, classes)
        self.rgb_norm = FeatureNorm(dim) if batch_norm else None
        self.flow_norm = FeatureNorm(dim) if batch_norm else None

    @classmethod
    def of(cls, shape: Shape, batch_norm: bool, seed: int) -> "LateFusionNetwork":
        """A network of a shape; it reads any number of clips."""
        return cls(
            shape.dim,
            shape.classes,
            layers=shape.layers,
            dropout=shape.dropout,
            batch_norm=batch_norm,
            seed=seed,
        )

    def forward(self, rgb: Tensor, flow: Tensor, noise: Noise | None = None) -> LateOutput:
        """Clips of both modalities, each (n, T, d), to what the network says of the n videos."""
        rgb_pooled, _ = self.rgb(rgb, noise)  # (n, d)
        flow_pooled, _ = self.flow(flow, noise)
        rgb = _normalised(rgb_pooled, self.rgb_norm, noise)
        flow = _normalised(flow_pooled, self.flow_norm, noise)
        rgb_logits = self.rgb_classifier(dropped(rgb, self.dropout, noise))
        flow_logits = self.flow_classifier(dropped(flow, self.dropout, noise))
        logits = (rgb_logits + flow_logits) / 2
        return LateOutput(logits, rgb, flow, rgb_logits, flow_logits, rgb_pooled, flow_pooled)


def classify(weights: dict[str, Tensor], rgb: Tensor, flow: Tensor) -> Tensor:
    """Features (n, d) of both modalities -> logits (n, c), by the classifiers among `weights`."""
    streams = [
        F.linear(features, weights[f"{name}_classifier.weight"], weights[f"{name}_classifier.bias"])
        for name, features in (("rgb", rgb), ("flow", flow))
    ]
    return (streams[0] + streams[1]) / 2


def with_statistics(weights: dict[str, Tensor], seen: LateOutput) -> dict[str, Tensor]:
    """The weights with the normalisations' statistics replaced by those of all videos of `seen`.

    One pass over a domain's videos; the videos are the second axis from the end of each field, so
    that `weights` and `seen` may be stacked over runs.
    """
    return weights | {
        f"{name}_norm.{statistic}": value
        for name, pooled in (("rgb", seen.rgb_pooled), ("flow", seen.flow_pooled))
        for statistic, value in (
            ("mean", pooled.mean(dim=-2)),
            ("variance", pooled.var(dim=-2, unbiased=False)),
        )
    }


def new_classifier(dim: int, classes: int) -> nn.Linear:
    """A linear classifier with Xavier-normal weights and zero bias."""
    linear = nn.Linear(dim, classes)
    nn.init.xavier_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def _normalised(features: Tensor, norm: FeatureNorm | None, noise: Noise | None) -> Tensor:
    return features if norm is None else norm(features, own=noise is not None)
