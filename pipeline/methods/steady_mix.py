"""Steady mixup: MT-Mix, and predictions that stay when clips are missing. Source-free; ours.

SHOT's terms and MTRAN's pairs, with ordinary mixup of the pseudo-labels instead of alignment
(`mt_mix`), and the temporal consistency of STHC (Li et al., CVPR 2023): with some clips of a video
left out, the prediction is to be that of all clips. Either part alone is a method of its own here;
docs/benchmark.md compares them on tasks that this one was not chosen on.
"""

from dataclasses import dataclass

from torch import Tensor

from pipeline.consistency_losses import divergences
from pipeline.features import Features
from pipeline.losses import mixing_factors
from pipeline.methods.method import Memory, Method
from pipeline.methods.mtran import mixed_videos
from pipeline.methods.pairs import Batch
from pipeline.methods.shot import clustering
from pipeline.model import Model
from pipeline.noisy_label_losses import mixed_cross_entropy
from pipeline.views import fewer_clips


@dataclass(frozen=True)
class SteadyMix(Method):
    """SHOT's terms + lambda2 * mixup + consistency with fewer clips."""

    removed: float = 0.4
    """Share of the clips that is left out, in [0, 1]; one is always kept."""
    consistency: float = 1.0
    """Weight of consistency, at least 0."""

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """SHOT's terms on the real videos; mixup of the pairs; consistency with fewer clips."""
        labels, videos = memory.pseudo_labels, batch.videos
        rgb, flow = features.rgb[videos], features.flow[videos]
        logits = model(rgb, flow).logits
        share, _ = mixing_factors(batch.draws, self.weights.tau)
        mixed = mixed_videos(model, features, batch, share).logits
        mixup = mixed_cross_entropy(mixed, labels[batch.high], labels[batch.low], share)
        fewer = model(*fewer_clips(rgb, flow, self.removed, model.noise)).logits
        steady = divergences(logits.softmax(dim=1), fewer).mean()
        return clustering(logits, labels[videos], self.weights.lambda1) | {
            "mixup": self.weights.lambda2 * mixup,
            "temporal_consistency": self.consistency * steady,
        }
