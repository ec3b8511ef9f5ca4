"""MM-SADA: adversarial alignment of each modality, and correspondence of the two. Sees the source.

Munro and Damen, "Multi-Modal Domain Adaptation for Fine-Grained Action Recognition", CVPR 2020.
Ours differs: the paper trains in two stages, of which the first, a third of the steps, lacks the
discriminators; here the first third is the source's cross-entropy alone, correspondence begins with
the rest, and the learning rate is one. Every source video keeps its own pair in the classification:
a branch sees one modality, so that a rotated pair needs no pass of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.joint.batches import JointBatch
from pipeline.joint.late_fusion import LateFusionNetwork, LateOutput
from pipeline.joint.method import JointData, JointMethod, JointWeights, seeded
from pipeline.joint.reversal import binary_head, domain_confusion, ramp
from pipeline.methods.method import Extra
from pipeline.model import Model

REVERSAL = 0.2  # strength of gradient reversal at the end of its ramp


@dataclass(frozen=True)
class MmSada(JointMethod):
    """lambda * (discriminators of RGB and flow + 5 * correspondence), the paper's proportion."""

    parts: Literal["both", "domain", "modality"] = "both"
    """Discriminators of the domain, correspondence of the modalities, or both."""

    warm_up: ClassVar[float] = 1 / 3
    correspondence_weight: ClassVar[float] = 5.0

    def extras(self, network: LateFusionNetwork, seed: int) -> dict[str, Extra]:
        """A domain discriminator a modality, a head that tells matched from rotated pairs."""
        widths = {"rgb_domain": network.dim, "flow_domain": network.dim}
        if self.parts == "modality":
            widths = {}
        if self.parts != "domain":
            widths["correspondence"] = 2 * network.dim
        return {
            name: Extra(seeded(partial(binary_head, width), seed + number))
            for number, (name, width) in enumerate(widths.items())
        }

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: LateOutput
    ) -> dict[str, Tensor]:
        """The terms of the parts."""
        target = self.see(model, data.target, batch.target)
        terms: dict[str, Tensor] = {}
        if self.parts != "modality":
            terms |= domain_confusion(model, source, target, ramp(model.progress, REVERSAL))
        if self.parts != "domain":
            both = [correspondence(model, said) for said in (source, target)]
            terms["correspondence"] = self.correspondence_weight * torch.stack(both).mean()
        return terms


def rotated_half(values: Tensor) -> Tensor:
    """The later half of the rows (n, d) moved on by one, the last to the half's first place."""
    kept = (len(values) + 1) // 2
    return torch.cat([values[:kept], values[kept:].roll(1, dims=0)])


def correspondence(model: Model, said: LateOutput) -> Tensor:
    """Cross-entropy of the extra module `correspondence`: is the pair of one video (1) or not (0)?

    Of the n videos, the later half is shown with the flow features of its neighbours. A later half
    of one video is its own neighbour; its pair counts as not matched all the same.

    Returns: scalar, at least 0.
    """
    n = len(said.rgb)
    pairs = torch.cat([said.rgb, rotated_half(said.flow)], dim=1)  # (n, 2d)
    matched = (torch.arange(n, device=pairs.device) < (n + 1) // 2).long()
    return F.cross_entropy(model.extra("correspondence", pairs), matched)


def _part(parts: Any) -> Callable[[JointWeights], MmSada]:
    return lambda weights: MmSada(weights, parts)


adversarial = _part("domain")
mm_sada_without_domain = _part("modality")
