"""Cross-modal and cross-domain contrast of features. Sees the source with its labels.

Kim, Tsai, Zhuang, Yu, Sclaroff, Saenko and Chandraker, "Learning Cross-modal Contrastive Features
for Video Domain Adaptation", ICCV 2021. On stored clip features: the backbone does not learn, so
that the losses shape the two branches alone. Ours differs: the warm-up, because pseudo-labels of an
untrained head say nothing; a head that reads features stretched to length sqrt(d), which is about
what leaves the branches, from batch and banks alike; and pseudo-labels whose classes are as
frequent as the source's, without which the method collapses where the source model is poor.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.joint.batches import JointBatch
from pipeline.joint.contrast import (
    cross_domain_contrast,
    cross_modal_contrast,
    pooled_cross_modal_contrast,
)
from pipeline.joint.late_fusion import LateFusionNetwork, LateOutput
from pipeline.joint.memory_bank import filled, updated
from pipeline.joint.method import JointData, JointMethod, seeded
from pipeline.joint.pseudo_labels import class_shares, confident_cross_entropy, sure_classes
from pipeline.methods.method import Extra
from pipeline.model import Model

PROJECTED = 128  # width of what the head says, SimCLR's
MODALITIES = ("rgb", "flow")
CONTRASTS = {"contrast": cross_modal_contrast, "pooled": pooled_cross_modal_contrast}


@dataclass(frozen=True)
class CrossModalContrastive(JointMethod):
    """Eq. 7: cross-entropy + lambda * (cross-modal contrast of either domain + cross-domain's)."""

    across_modalities: Literal["contrast", "pooled", "nothing"] = "contrast"
    """L_mo, in either domain; `pooled` as its equation is printed."""
    across_domains: Literal["contrast", "pseudo_labels", "nothing"] = "contrast"
    """L_do, or in its place the cross-entropy of sure target videos."""
    head: Literal["modalities", "both", "nowhere"] = "modalities"
    """Which contrast sees the features through the projection head, shared by all of them."""
    pseudo_classes: Literal["as_source", "as_predicted"] = "as_source"
    """How often the classes occur among pseudo-labels; the paper's are as predicted."""

    own_lambda: ClassVar[float] = 1.25

    def extras(self, network: LateFusionNetwork, seed: int) -> dict[str, Extra]:
        """The projection head, SimCLR's: one for both modalities and both domains."""
        if self.head == "nowhere":
            return {}
        dim = network.dim
        return {"head": Extra(seeded(lambda: _head(dim), seed))}

    def begin(self, source: LateOutput, target: LateOutput) -> dict[str, Any]:
        """A bank a domain and modality."""
        return {
            f"{domain}_{modality}": filled(getattr(said, modality))
            for domain, said in (("source", source), ("target", target))
            for modality in MODALITIES
        }

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: LateOutput
    ) -> dict[str, Tensor]:
        """The terms of the modalities, then those of the domains."""
        target = self.see(model, data.target, batch.target)
        for domain, said in (("source", source), ("target", target)):
            model.keep(**{f"{domain}_rgb": said.rgb, f"{domain}_flow": said.flow})
        terms = self.between_modalities(model, batch, source, target)
        return terms | self.between_domains(model, data.labels, source, target)

    def between_modalities(
        self, model: Model, batch: JointBatch, source: LateOutput, target: LateOutput
    ) -> dict[str, Tensor]:
        """A term a domain, if any."""
        if self.across_modalities == "nothing":
            return {}
        return {
            "modality_source": self._modality(model, "source", source, batch.source),
            "modality_target": self._modality(model, "target", target, batch.target),
        }

    def between_domains(
        self, model: Model, labels: Tensor, source: LateOutput, target: LateOutput
    ) -> dict[str, Tensor]:
        """One term, if any; labels (n_s,) of all videos of the source."""
        if self.across_domains == "contrast":
            return {"domain": self._domain(model, target, labels)}
        if self.across_domains == "pseudo_labels":
            return {"pseudo_label": self._pseudo_label(target, labels)}
        return {}

    def after_step(self, model: Model, batch: JointBatch) -> dict[str, Any]:
        """The banks, moved to the features of the batch."""
        videos = {"source": batch.source, "target": batch.target}
        return {
            name: updated(bank, videos[name.split("_")[0]], model.kept[name])
            for name, bank in model.state.items()
        }

    def _modality(self, model: Model, domain: str, said: LateOutput, videos: Tensor) -> Tensor:
        headed = self.head != "nowhere"
        banks = [model.state[f"{domain}_{modality}"] for modality in MODALITIES]
        parts = (said.rgb, said.flow, *banks)
        rgb, flow, rgb_bank, flow_bank = (_directions(model, part, headed) for part in parts)
        loss = CONTRASTS[self.across_modalities]
        return loss(rgb, flow, rgb_bank, flow_bank, videos, self.weights.tau)

    def _domain(self, model: Model, target: LateOutput, labels: Tensor) -> Tensor:
        classes, accepted = sure_classes(
            target.logits, self.weights.threshold, self._shares(target, labels)
        )
        headed = self.head == "both"
        rgb, flow = (
            cross_domain_contrast(
                _directions(model, features, headed),
                classes,
                accepted,
                _directions(model, model.state[f"source_{modality}"], headed),
                labels,
                self.weights.tau,
            )
            for modality, features in (("rgb", target.rgb), ("flow", target.flow))
        )
        return rgb + flow

    def _pseudo_label(self, target: LateOutput, labels: Tensor) -> Tensor:
        shares = self._shares(target, labels)
        return confident_cross_entropy(target.logits, self.weights.threshold, shares)

    def _shares(self, target: LateOutput, labels: Tensor) -> Tensor | None:
        if self.pseudo_classes == "as_predicted":
            return None
        return class_shares(labels, target.logits.shape[1])


def _head(dim: int) -> nn.Module:
    return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, PROJECTED))


def _directions(model: Model, features: Tensor, headed: bool) -> Tensor:
    """Features (n, d) -> rows of length 1, through the head if there is one."""
    directions = F.normalize(features, dim=1)
    if not headed:
        return directions
    return F.normalize(model.extra("head", math.sqrt(features.shape[1]) * directions), dim=1)
