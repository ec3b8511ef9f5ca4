"""TCoN: the clips of a source and a target video attend to each other. Sees the source.

Pan, Cao, Adeli and Niebles, "Adversarial Cross-Domain Action Recognition with Co-Attention", AAAI
2020, once for RGB and once for flow. Reconstructed from descriptions of the method, not from the
paper: the form of the co-attention (dot products, scaled), which videos make a pair (each source
video and one of the batch's target videos, at random), the discriminator of whole sequences and the
weights of the terms, 0.5 each; the strength of the gradient reversal is MM-SADA's. There are no
relation features: classifiers read the mean of the clips, weighed by co-attention in training and
evenly in a prediction, which has no source video to pair with.
"""

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.joint.batches import JointBatch
from pipeline.joint.clip_network import ClipNetwork, ClipOutput
from pipeline.joint.co_attention import aligned, co_attention, looked_at
from pipeline.joint.late_fusion import classify
from pipeline.joint.method import JointData, JointMethod, seeded
from pipeline.joint.mm_sada import REVERSAL
from pipeline.joint.reversal import binary_head, confusion, ramp
from pipeline.joint.shape import Shape
from pipeline.joint.windows import Windows
from pipeline.methods.method import Extra
from pipeline.model import Model

MODALITIES = ("rgb", "flow")


class Tcon(JointMethod):
    """lambda * (discriminators of aligned sequences + cross-entropy of co-attended videos)."""

    own_lambda: ClassVar[float] = 0.5
    windows: ClassVar[Windows] = "whole"

    def network(self, shape: Shape, seed: int) -> ClipNetwork:
        """A clip network whose clips count alike."""
        return ClipNetwork(shape, "even", seed)

    def extras(self, network: ClipNetwork, seed: int) -> dict[str, Extra]:
        """A discriminator of sequences a modality."""
        width = network.dim * (network.clips or 1)
        return {
            f"{modality}_sequence": Extra(seeded(partial(binary_head, width), seed + number))
            for number, modality in enumerate(MODALITIES)
        }

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: ClipOutput
    ) -> dict[str, Tensor]:
        """A term a modality, and what the classifiers make of the co-attended source."""
        target: ClipOutput = self.see(model, data.target, batch.target)
        terms, attended = {}, []
        for modality in MODALITIES:
            ours, theirs = (getattr(said, f"{modality}_clips") for said in (source, target))
            partners = theirs[_partners(len(ours), len(theirs), ours.device)]
            attention = co_attention(ours, partners)
            judge = f"{modality}_sequence"
            strength = ramp(model.progress, REVERSAL)
            sequence = aligned(ours, attention).flatten(1)
            terms[judge] = confusion(model, judge, sequence, theirs.flatten(1), strength)
            attended.append(looked_at(ours, attention))
        logits = classify(model.weights, *attended)
        return terms | {"co_attended": F.cross_entropy(logits, data.labels[batch.source])}


def _partners(sources: int, targets: int, device: torch.device) -> Tensor:
    """A target video for each source video; batches are shuffled, so that chance pairs them."""
    return torch.arange(sources, device=device) % targets
