"""SAVA: attention between clips, adversarial videos, clip-order prediction. Sees the source.

Choi, Sharma, Schulter and Huang, "Shuffle and Attend: Video Domain Adaptation", ECCV 2020, once for
RGB and once for flow. Reconstructed from descriptions of the method, not from the paper: the target
of the attention, the weights of the terms (1, of the clip order 0.1) and the size of the heads; the
strength of the gradient reversal is MM-SADA's. Clip-order prediction is meant to turn a backbone
away from backgrounds; stored features come from a frozen one, where it only shapes the few layers
above and has lost its purpose, which is why it counts so little.
"""

from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.joint.batches import JointBatch
from pipeline.joint.clip_attention import attention_loss
from pipeline.joint.clip_network import ClipNetwork, ClipOutput
from pipeline.joint.clip_order import SHUFFLED, orders, shuffled
from pipeline.joint.method import JointData, JointMethod, seeded
from pipeline.joint.mm_sada import REVERSAL
from pipeline.joint.reversal import binary_head, domain_confusion, ramp
from pipeline.joint.shape import Shape
from pipeline.joint.windows import Windows
from pipeline.methods.method import Extra
from pipeline.model import Model

ORDER = 0.1  # weight of clip-order prediction


class Sava(JointMethod):
    """lambda * (video discriminators + attention of the source + 0.1 * clip order of both)."""

    windows: ClassVar[Windows] = "whole"

    def network(self, shape: Shape, seed: int) -> ClipNetwork:
        """A clip network with learnt attention."""
        return ClipNetwork(shape, "learnt", seed)

    def extras(self, network: ClipNetwork, seed: int) -> dict[str, Extra]:
        """A discriminator and a head for the clips' order, a modality."""
        builders = {}
        for modality in ("rgb", "flow"):
            builders[f"{modality}_domain"] = partial(binary_head, network.dim)
            builders[f"{modality}_order"] = partial(_order_head, network.dim, network.clips or 1)
        return {
            name: Extra(seeded(build, seed + number))
            for number, (name, build) in enumerate(builders.items())
        }

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: ClipOutput
    ) -> dict[str, Tensor]:
        """Each kind of term a modality."""
        target: ClipOutput = self.see(model, data.target, batch.target)
        terms = domain_confusion(model, source, target, ramp(model.progress, REVERSAL))
        for modality in ("rgb", "flow"):
            terms[f"{modality}_attention"] = _attention(
                model, modality, source, data.labels[batch.source]
            )
            clips = torch.cat([getattr(said, f"{modality}_clips") for said in (source, target)])
            terms[f"{modality}_order"] = ORDER * order_loss(model, f"{modality}_order", clips)
        return terms


def order_loss(model: Model, head: str, clips: Tensor) -> Tensor:
    """Cross-entropy of the extra module `head`: in which order do 3 clips of each video stand?

    Args: clips (n, T, d), in order of time.
    Returns: scalar, at least 0.
    """
    mixed, number = shuffled(clips, model.noise)
    return F.cross_entropy(model.extra(head, mixed.flatten(1)), number)


def _attention(model: Model, modality: str, source: ClipOutput, labels: Tensor) -> Tensor:
    weight, bias = (model.weights[f"{modality}_classifier.{part}"] for part in ("weight", "bias"))
    clip_logits = F.linear(getattr(source, f"{modality}_clips"), weight, bias)  # (n, T, c)
    return attention_loss(getattr(source, f"{modality}_scores"), clip_logits, labels)


def _order_head(dim: int, clips: int) -> nn.Module:
    size = min(SHUFFLED, clips)
    return nn.Sequential(nn.Linear(size * dim, dim), nn.ReLU(), nn.Linear(dim, orders(clips)))
