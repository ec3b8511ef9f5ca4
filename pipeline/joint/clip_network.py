"""The clip network: per modality an encoder of clips, their weighted mean, a linear classifier.

Logits of the modalities are averaged. The weights of a video's clips are even, or the softmax of
what a small network says of each clip (clip attention of SAVA: Choi et al., "Shuffle and Attend:
Video Domain Adaptation", ECCV 2020). Dropout stands before the classifiers.

Letters: n videos, T clips, d features, c classes.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from pipeline.joint.clip_encoder import ClipEncoder, dropped
from pipeline.joint.late_fusion import new_classifier
from pipeline.joint.shape import JointNetwork, Shape
from pipeline.noise import Noise, initial_weights

Attention = Literal["even", "learnt"]


class ClipOutput(NamedTuple):
    """What the network says of n videos; every field has the videos first."""

    logits: Tensor
    """(n, c), unnormalised: the mean of the streams'."""
    rgb: Tensor
    """(n, d): the weighted mean of the clips."""
    flow: Tensor
    """(n, d)."""
    rgb_clips: Tensor
    """(n, T, d), in order of time."""
    flow_clips: Tensor
    """(n, T, d)."""
    rgb_scores: Tensor
    """(n, T): the softmax over a row weighs the clips; 0 where they count alike."""
    flow_scores: Tensor
    """(n, T)."""


class ClipNetwork(JointNetwork):
    """Two streams; a function of its weights, inputs and noise.

    Args:
        shape: of features and network; it reads `shape.clips` clips a video.
        attention: whether clips count alike, or as a learnt attention says.
        seed: of the initial weights; the global random numbers are left alone.
    """

    def __init__(self, shape: Shape, attention: Attention, seed: int = 0):
        super().__init__()
        self.dim, self.classes, self.clips = shape.dim, shape.classes, shape.clips
        self.dropout = shape.dropout
        learnt = attention == "learnt"
        with initial_weights(seed):
            self.rgb = ClipEncoder(shape.dim, shape.layers, shape.dropout)
            self.flow = ClipEncoder(shape.dim, shape.layers, shape.dropout)
            self.rgb_classifier = new_classifier(shape.dim, shape.classes)
            self.flow_classifier = new_classifier(shape.dim, shape.classes)
            self.rgb_attention = _attention(shape.dim) if learnt else None
            self.flow_attention = _attention(shape.dim) if learnt else None

    def forward(self, rgb: Tensor, flow: Tensor, noise: Noise | None = None) -> ClipOutput:
        """Clips of both modalities, each (n, T, d), to what the network says of the n videos."""
        rgb_clips, flow_clips = self.rgb(rgb, noise), self.flow(flow, noise)
        rgb_scores = _scores(self.rgb_attention, rgb_clips)
        flow_scores = _scores(self.flow_attention, flow_clips)
        rgb, flow = attended(rgb_clips, rgb_scores), attended(flow_clips, flow_scores)
        rgb_logits = self.rgb_classifier(dropped(rgb, self.dropout, noise))
        flow_logits = self.flow_classifier(dropped(flow, self.dropout, noise))
        logits = (rgb_logits + flow_logits) / 2
        return ClipOutput(logits, rgb, flow, rgb_clips, flow_clips, rgb_scores, flow_scores)


def attended(clips: Tensor, scores: Tensor) -> Tensor:
    """Mean of clips (n, T, d), weighted by the softmax over scores (n, T): (n, d)."""
    return (scores.softmax(dim=1)[:, :, None] * clips).sum(dim=1)


def _attention(dim: int) -> nn.Module:
    """Clips (n, T, d) -> scores (n, T, 1); all 0 at first, so that clips count alike."""
    last = nn.Linear(dim, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), last)


def _scores(attention: nn.Module | None, clips: Tensor) -> Tensor:
    if attention is None:
        return torch.zeros_like(clips[:, :, 0])
    scores: Tensor = attention(clips)
    return scores.squeeze(2)
