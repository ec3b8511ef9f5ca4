"""MT-Mix, MTRAN's variant with ordinary mixup instead of alignment. Source-free.

"Relative Alignment Network for Source-Free Multimodal Video Domain Adaptation", ACM MM 2022,
ablations, after Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018. A pair is
mixed as in MTRAN, and the mixed video is to be predicted as the mixture of both pseudo-labels, in
the proportion of the clips. The paper gives no weight: here it is lambda2.
"""

from torch import Tensor

from pipeline.features import Features
from pipeline.losses import mixing_factors
from pipeline.methods.method import Memory, Method
from pipeline.methods.mtran import mixed_videos
from pipeline.methods.pairs import Batch
from pipeline.methods.shot import clustering
from pipeline.model import Model
from pipeline.noisy_label_losses import mixed_cross_entropy


class MtMix(Method):
    """SHOT's terms + lambda2 * cross-entropy of the mixed videos."""

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """SHOT's terms on the real videos, then mixup."""
        labels, videos = memory.pseudo_labels, batch.videos
        real = model(features.rgb[videos], features.flow[videos])
        terms = clustering(real.logits, labels[videos], self.weights.lambda1)
        share, _ = mixing_factors(batch.draws, self.weights.tau)
        mixed = mixed_videos(model, features, batch, share).logits
        loss = mixed_cross_entropy(mixed, labels[batch.high], labels[batch.low], share)
        return terms | {"mixup": self.weights.lambda2 * loss}
