"""ATCoN: SHOT, and a video that says the same whichever number of its clips is seen. Source-free.

Xu, Yang, Cao, Wu, Wu and Chen, "Source-Free Video Domain Adaptation by Learning Temporal
Consistency for Action Recognition", ECCV 2022. A scale is a number of clips, from 2 to T.

Differs: a scale's clips are one evenly spaced choice, where the original's relation network sums
over several. SHOT's terms are on the prediction from all T clips, which is also the one that is
tested; the original joins the scales by attention to the sure ones. Its second term of prediction
consistency, of the scales' average with the joint prediction, is none in the authors' code: it
sums the differences of two distributions, which is 0. Pseudo-labels are renewed every epoch, not
every tenth.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.consistency_losses import feature_consistency, prediction_consistency
from pipeline.features import Features
from pipeline.losses import information_maximisation
from pipeline.methods.method import Memory, Method
from pipeline.methods.pairs import Batch
from pipeline.model import Model


@dataclass(frozen=True)
class Atcon(Method):
    """Four terms, each with a weight of its own; nothing of `weights` is used."""

    information: float = 0.5
    """Weight of information maximisation; of the authors' code."""
    clustering: float = 0.2
    """Weight of the pseudo-labels; of the authors' code."""
    feature: float = 0.01
    """Weight of feature consistency; of the authors' code."""
    prediction: float = 1.0
    """Weight of prediction consistency; the 18 of the authors' code gains half as much here."""

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """SHOT's terms on all clips; consistency of features and predictions between scales."""
        rgb, flow = features.rgb[batch.videos], features.flow[batch.videos]
        scales = [model(rgb[:, clips], flow[:, clips]) for clips in choices(features.clips)]
        logits = [scale.logits for scale in scales]
        labels = memory.pseudo_labels[batch.videos]
        terms = {
            "information_maximisation": self.information * information_maximisation(logits[-1]),
            "pseudo_label": self.clustering * F.cross_entropy(logits[-1], labels),
        }
        if len(scales) > 1:
            consistent = feature_consistency([scale.fused for scale in scales])
            terms["feature_consistency"] = self.feature * consistent
            terms["prediction_consistency"] = self.prediction * prediction_consistency(logits)
        return terms


def choices(clips: int) -> list[list[int]]:
    """Positions of 2, 3, ... and all of the clips, evenly spaced; of a single clip just that."""
    return [
        torch.linspace(0, clips - 1, count).round().int().tolist()
        for count in range(min(2, clips), clips + 1)
    ]
