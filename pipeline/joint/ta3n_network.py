"""TA3N's network: per modality clips, their relations on several time scales, a linear classifier.

Chen et al., "Temporal Attentive Alignment for Large-Scale Video Domain Adaptation", ICCV 2019. The
domain discriminators are part of it, because domain attention weighs relations in a prediction too;
each stands behind a gradient reversal whose strength stays the same all along, as in the authors'
code. Ours differs: a clip passes the layers of `ClipEncoder` in place of one fully connected layer
of 512; relations are as wide as a clip's feature, at most 256; and reversal has a quarter of the
strength, without which training runs away at the learning rate of the other methods.

Letters: n videos, T clips, d features, c classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.joint.clip_encoder import ClipEncoder, dropped
from pipeline.joint.clip_relations import ClipRelations, domain_judge
from pipeline.joint.late_fusion import new_classifier
from pipeline.joint.reversal import reversed_gradient
from pipeline.joint.shape import JointNetwork, Shape
from pipeline.noise import Noise, initial_weights

WIDEST = 256  # of relations
GENTLER = 0.25
CLIP, RELATION, VIDEO = GENTLER * 0.5, GENTLER * 0.75, GENTLER * 0.75  # UCF to HMDB's


class Ta3nOutput(NamedTuple):
    """What the network says of n videos; every field has the videos first, then RGB and flow."""

    logits: Tensor
    """(n, c), unnormalised: the mean of the streams'."""
    streams: Tensor
    """(n, 2, c): the logits of RGB and of flow."""
    clip_domains: Tensor
    """(n, 2, T, 2), unnormalised: source or target?"""
    relation_domains: Tensor
    """(n, 2, T - 1, 2), of relations among T clips down to 2."""
    video_domains: Tensor
    """(n, 2, 2)."""


class Ta3nStream(nn.Module):
    """One modality."""

    def __init__(self, shape: Shape):
        super().__init__()
        width = min(shape.dim, WIDEST)
        self.dropout = shape.dropout
        self.encoder = ClipEncoder(shape.dim, shape.layers, shape.dropout)
        self.clip_judge = domain_judge(shape.dim)
        self.relations = ClipRelations(shape.dim, shape.clips, width, RELATION)
        self.video_judge = domain_judge(width)
        self.classifier = new_classifier(width, shape.classes)

    def forward(self, clips: Tensor, noise: Noise | None) -> tuple[Tensor, ...]:
        """Clips (n, T, d) -> logits (n, c); domains of clips, relations and video, (n, ..., 2)."""
        clips = self.encoder(clips, noise)
        clip_domains = self.clip_judge(reversed_gradient(clips, CLIP))
        video, relation_domains = self.relations(clips)  # (n, r)
        video_domains = self.video_judge(reversed_gradient(video, VIDEO))
        logits = self.classifier(dropped(video, self.dropout, noise))
        return logits, clip_domains, relation_domains, video_domains


class Ta3nNetwork(JointNetwork):
    """Two streams; a function of its weights, inputs and noise.

    Args:
        shape: of features and network; it reads `shape.clips` clips a video, at least 2.
        seed: of the initial weights; the global random numbers are left alone.

    Raises:
        UserError: a single clip a video.
    """

    def __init__(self, shape: Shape, seed: int = 0):
        super().__init__()
        if shape.clips < 2:
            raise UserError(
                f"ta3n relates clips of a video to each other and needs at least 2; found "
                f"{shape.clips}; extract the features with clips.segments: 2 or more"
            )
        self.dim, self.classes, self.clips = shape.dim, shape.classes, shape.clips
        with initial_weights(seed):
            self.rgb = Ta3nStream(shape)
            self.flow = Ta3nStream(shape)

    def forward(self, rgb: Tensor, flow: Tensor, noise: Noise | None = None) -> Ta3nOutput:
        """Clips of both modalities, each (n, T, d), to what the network says of the n videos."""
        said = zip(self.rgb(rgb, noise), self.flow(flow, noise), strict=True)
        streams, *domains = (torch.stack(both, dim=1) for both in said)
        return Ta3nOutput(streams.mean(dim=1), streams, *domains)
