"""TA3N: adversarial alignment of clips, relations and videos, with attention. Sees the source.

Chen, Kira, AlRegib, Yoo, Chen and Zheng, "Temporal Attentive Alignment for Large-Scale Video Domain
Adaptation", ICCV 2019, once for RGB and once for flow. The weight of the attentive entropy is the
authors' for UCF to HMDB (for HMDB to UCF it is 0.3); gradients are clipped as theirs. Ours differs:
batches, warm-up and the rest of the optimiser are those of the other methods.
"""

from dataclasses import replace
from typing import ClassVar

from torch import Tensor

from pipeline.descent import Settings
from pipeline.joint.attentive import attentive_entropy
from pipeline.joint.batches import JointBatch
from pipeline.joint.method import JointData, JointMethod
from pipeline.joint.reversal import two_sample_cross_entropy
from pipeline.joint.shape import Shape
from pipeline.joint.ta3n_network import Ta3nNetwork, Ta3nOutput
from pipeline.joint.windows import Windows
from pipeline.model import Model

LEVELS = ("clip", "relation", "video")
ENTROPY = 0.003  # weight of the attentive entropy
CLIP_NORM = 20.0


class Ta3n(JointMethod):
    """lambda * (discriminators of three levels + 0.003 * attentive entropy), in each modality."""

    windows: ClassVar[Windows] = "whole"

    def settings(self, settings: Settings) -> Settings:
        """A longest gradient, where none is asked for."""
        return replace(settings, clip_norm=settings.clip_norm or CLIP_NORM)

    def network(self, shape: Shape, seed: int) -> Ta3nNetwork:
        """The network with the discriminators."""
        return Ta3nNetwork(shape, seed)

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: Ta3nOutput
    ) -> dict[str, Tensor]:
        """A term a level, and the entropy; each a sum over the modalities."""
        target: Ta3nOutput = self.see(model, data.target, batch.target)
        terms = {f"{level}_domain": domain_loss(level, source, target) for level in LEVELS}
        entropies = [
            attentive_entropy(said.streams[:, modality], said.video_domains[:, modality])
            for said in (source, target)
            for modality in (0, 1)
        ]
        return terms | {"attentive_entropy": ENTROPY * sum(entropies[1:], entropies[0]) / 2}


def domain_loss(level: str, source: Ta3nOutput, target: Ta3nOutput) -> Tensor:
    """The discriminators' cross-entropy on one level, summed over RGB and flow; at least 0."""
    one, other = (getattr(said, f"{level}_domains") for said in (source, target))
    return 2 * two_sample_cross_entropy(one, other)
