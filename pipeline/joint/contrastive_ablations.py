"""Ablations of the contrastive method: without a part of it, or with another in its place.

Kim et al., "Learning Cross-modal Contrastive Features for Video Domain Adaptation", ICCV 2021,
tables 3 to 5. Discriminators, and the strength of the gradient reversal before them, are MM-SADA's
(Munro and Damen, CVPR 2020); the paper does not give its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from torch import Tensor

from pipeline.joint.batches import JointBatch
from pipeline.joint.contrastive import CrossModalContrastive
from pipeline.joint.late_fusion import LateFusionNetwork, LateOutput
from pipeline.joint.method import JointWeights, seeded
from pipeline.joint.mm_sada import REVERSAL
from pipeline.joint.reversal import binary_head, domain_confusion, modality_confusion, ramp
from pipeline.joint.windows import Windows
from pipeline.methods.method import Extra
from pipeline.model import Model


class SameWindows(CrossModalContrastive):
    """RGB and flow see the same clips."""

    windows: ClassVar[Windows] = "same"


@dataclass(frozen=True)
class ContrastiveLiteral(CrossModalContrastive):
    """Cross-modal contrast with one logarithm for a batch, as eq. 2 is printed.

    Ours differs: lambda is 0.5. With the paper's 1.25 it does harm where the source model is poor.
    """

    across_modalities: Literal["contrast", "pooled", "nothing"] = "pooled"

    own_lambda: ClassVar[float] = 0.5


class ContrastiveAdversarial(CrossModalContrastive):
    """lambda * (cross-modal contrast of either domain + domain discriminators of RGB and flow)."""

    judges: ClassVar[tuple[str, ...]] = ("rgb_domain", "flow_domain")

    def extras(self, network: LateFusionNetwork, seed: int) -> dict[str, Extra]:
        """The projection head, and the discriminators."""
        return super().extras(network, seed) | {
            name: Extra(seeded(partial(binary_head, network.dim), seed + number))
            for number, name in enumerate(self.judges, start=1)
        }

    def between_domains(
        self, model: Model, labels: Tensor, source: LateOutput, target: LateOutput
    ) -> dict[str, Tensor]:
        """A term a modality, which needs no label."""
        return domain_confusion(model, source, target, ramp(model.progress, REVERSAL))


@dataclass(frozen=True)
class AdversarialAdversarial(ContrastiveAdversarial):
    """lambda * (discriminators of RGB from flow in either domain + domain discriminators)."""

    head: Literal["modalities", "both", "nowhere"] = "nowhere"

    judges: ClassVar[tuple[str, ...]] = (
        *ContrastiveAdversarial.judges,
        "source_modality",
        "target_modality",
    )

    def begin(self, source: LateOutput, target: LateOutput) -> dict[str, Any]:
        """No banks."""
        return {}

    def between_modalities(
        self, model: Model, batch: JointBatch, source: LateOutput, target: LateOutput
    ) -> dict[str, Tensor]:
        """A term a domain."""
        return modality_confusion(model, source, target, ramp(model.progress, REVERSAL))


def _without(**parts: Any) -> Callable[[JointWeights], CrossModalContrastive]:
    return lambda weights: CrossModalContrastive(weights, **parts)


modality_only = _without(across_domains="nothing")
domain_only = _without(across_modalities="nothing", head="nowhere")
without_head = _without(across_domains="nothing", head="nowhere")
head_in_both = _without(head="both")
as_published = _without(pseudo_classes="as_predicted")
with_pseudo_labels = _without(across_domains="pseudo_labels")
