"""Steady mixup: MT-Mix on credible pseudo-labels, steady when clips are missing. Source-free; ours.

MTRAN's pairs with ordinary mixup of the pseudo-labels instead of alignment (`mt_mix`); of each
class, only the pseudo-labels that the model finds most credible are learnt as they are, which is
the selection of CleanAdapt (Dasgupta et al., ICVGIP 2022); and with some clips of a video left out,
the prediction is to be that of all clips, the temporal consistency of STHC (Li et al., CVPR 2023).
docs/benchmark.md says what it was chosen on, and compares it on other tasks.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from pipeline.consistency_losses import divergences
from pipeline.features import Features
from pipeline.losses import information_maximisation, mixing_factors
from pipeline.methods.method import Memory, Method
from pipeline.methods.mtran import mixed_videos
from pipeline.methods.pairs import Batch
from pipeline.model import Model, State
from pipeline.network import Output
from pipeline.noisy_label_losses import kept_cross_entropy, mixed_cross_entropy, small_losses
from pipeline.views import fewer_clips


@dataclass(frozen=True)
class SteadyMix(Method):
    """SHOT's terms, on credible labels + lambda2 * mixup + consistency with fewer clips."""

    credible: float = 0.7
    """Share of each class's pseudo-labels that are learnt as they are, in [0, 1]."""
    removed: float = 0.4
    """Share of the clips that is left out, in [0, 1]; one is always kept."""
    consistency: float = 1.0
    """Weight of consistency, at least 0."""

    def remember(self, predictions: Output, state: State) -> Memory:
        """SHOT's pseudo-labels, MTRAN's halves, and which labels are credible."""
        memory = super().remember(predictions, state)
        labels = memory.pseudo_labels
        surprise = F.cross_entropy(predictions.logits, labels, reduction="none")
        return memory._replace(notes={"kept": small_losses(surprise, labels, self.credible)})

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """SHOT's terms on the real videos; mixup of the pairs; consistency with fewer clips."""
        kept = memory.notes["kept"][batch.videos]
        labels, videos = memory.pseudo_labels, batch.videos
        rgb, flow = features.rgb[videos], features.flow[videos]
        logits = model(rgb, flow).logits
        share, _ = mixing_factors(batch.draws, self.weights.tau)
        mixed = mixed_videos(model, features, batch, share).logits
        mixup = mixed_cross_entropy(mixed, labels[batch.high], labels[batch.low], share)
        fewer = model(*fewer_clips(rgb, flow, self.removed, model.noise)).logits
        steady = divergences(logits.softmax(dim=1), fewer).mean()
        return {
            "information_maximisation": information_maximisation(logits),
            "pseudo_label": self.weights.lambda1 * kept_cross_entropy(logits, labels[videos], kept),
            "mixup": self.weights.lambda2 * mixup,
            "temporal_consistency": self.consistency * steady,
        }
