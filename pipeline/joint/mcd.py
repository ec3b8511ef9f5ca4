"""Maximum classifier discrepancy. Sees the source with its labels.

Saito et al., "Maximum Classifier Discrepancy for Unsupervised Domain Adaptation", CVPR 2018, in one
step by gradient reversal as in MM-SADA's code, not in three. The network's own classifiers make the
first prediction, and at the end the only one; the second pair is left behind.
"""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.joint.batches import JointBatch
from pipeline.joint.discrepancy import classifier_discrepancy
from pipeline.joint.late_fusion import LateFusionNetwork, LateOutput, classify, new_classifier
from pipeline.joint.method import JointData, JointMethod, seeded
from pipeline.joint.reversal import ramp, reversed_gradient
from pipeline.methods.method import Extra
from pipeline.model import Model


class Mcd(JointMethod):
    """Cross-entropy of a second classifier, and -lambda * discrepancy on the target.

    The classifiers ascend the discrepancy; the branches, behind the reversal, descend it.
    """

    warm_up: ClassVar[float] = 1 / 3

    def extras(self, network: LateFusionNetwork, seed: int) -> dict[str, Extra]:
        """The second classifier of either modality."""
        dim, classes = network.dim, network.classes

        def build() -> nn.Module:
            return new_classifier(dim, classes)

        return {
            f"second_{modality}": Extra(seeded(build, seed + 2**20 * number))
            for number, modality in enumerate(("rgb", "flow"), start=1)
        }

    def supervised(self, model: Model, source: LateOutput, labels: Tensor) -> dict[str, Tensor]:
        """Both predictions learn the source's labels."""
        second = _second(model, source.rgb, source.flow)
        terms = super().supervised(model, source, labels)
        return terms | {"second_cross_entropy": F.cross_entropy(second, labels)}

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: LateOutput
    ) -> dict[str, Tensor]:
        """One term."""
        target = self.see(model, data.target, batch.target)
        strength = ramp(model.progress, 1.0)
        rgb, flow = (reversed_gradient(part, strength) for part in (target.rgb, target.flow))
        one, other = classify(model.weights, rgb, flow), _second(model, rgb, flow)
        return {"agreement": -classifier_discrepancy(one, other)}


def _second(model: Model, rgb: Tensor, flow: Tensor) -> Tensor:
    """The second prediction: features (n, d) -> logits (n, c)."""
    streams = model.extra("second_rgb", rgb) + model.extra("second_flow", flow)
    return streams / 2
