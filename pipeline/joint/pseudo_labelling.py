"""Pseudo-labelling: the target's sure predictions are learnt as labels. Sees the labelled source.

What Kim et al. (ICCV 2021, section 4.4) compare their cross-domain contrast with, alone. The weight
is not given; 1 here. Ours differs: pseudo-labels have classes as frequent as the source's.
"""

from torch import Tensor

from pipeline.joint.batches import JointBatch
from pipeline.joint.late_fusion import LateOutput
from pipeline.joint.method import JointData, JointMethod
from pipeline.joint.pseudo_labels import class_shares, confident_cross_entropy
from pipeline.model import Model


class PseudoLabelling(JointMethod):
    """lambda * cross-entropy of target videos whose prediction is above the threshold."""

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: LateOutput
    ) -> dict[str, Tensor]:
        """One term."""
        target = self.see(model, data.target, batch.target)
        shares = class_shares(data.labels, target.logits.shape[1])
        loss = confident_cross_entropy(target.logits, self.weights.threshold, shares)
        return {"pseudo_label": loss}
