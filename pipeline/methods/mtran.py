"""MTRAN: SHOT, and mixed videos that are moved towards the surer one of each pair. Source-free.

"Relative Alignment Network for Source-Free Multimodal Video Domain Adaptation", ACM MM 2022. A pair
is mixed clip by clip, in both modalities alike; the features and the clip relations of the mixed
video are moved to the mixture of the pair's own, with a slightly larger share of the surer video.
"""

from dataclasses import replace

from torch import Tensor

from pipeline.features import Features
from pipeline.losses import (
    mix,
    mixing_factors,
    multimodal_relative_alignment,
    temporal_relative_alignment,
)
from pipeline.methods.method import Memory, Method, Weights
from pipeline.methods.pairs import Batch
from pipeline.methods.shot import clustering
from pipeline.model import Model
from pipeline.network import Output


def mixed_videos(model: Model, features: Features, batch: Batch, share: Tensor) -> Output:
    """What the network says of each pair mixed clip by clip, of `share` (b,) the surer video."""
    return model(
        mix(features.rgb[batch.high], features.rgb[batch.low], share),
        mix(features.flow[batch.high], features.flow[batch.low], share),
    )


class Mtran(Method):
    """Eq. 13: SHOT's terms + lambda2 * multimodal + lambda3 * temporal relative alignment.

    A term of weight 0 is not computed; with lambda2 = lambda3 = 0 this is SHOT, step by step.
    """

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """SHOT's terms on the real videos, then alignment of the mixed ones."""
        videos = batch.videos
        real = model(features.rgb[videos], features.flow[videos])
        terms = clustering(real.logits, memory.pseudo_labels[videos], self.weights.lambda1)
        if self.weights.lambda2 or self.weights.lambda3:
            terms |= self._alignment(model, features, batch, real)
        return terms

    def shares(self, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Of the surer videos, each (b,): lambda in the mixed clips, mu in their targets."""
        return mixing_factors(draws, self.weights.tau)

    def _alignment(
        self, model: Model, features: Features, batch: Batch, real: Output
    ) -> dict[str, Tensor]:
        pairs = len(batch.high)
        high, low = real.part(slice(None, pairs)), real.part(slice(pairs, None))
        clip_share, target_share = self.shares(batch.draws)
        synthetic = mixed_videos(model, features, batch, clip_share)
        terms = {}
        if self.weights.lambda2:
            terms["multimodal_alignment"] = self.weights.lambda2 * multimodal_relative_alignment(
                synthetic.features, high.features, low.features, target_share
            )
        if self.weights.lambda3:
            terms["temporal_alignment"] = self.weights.lambda3 * temporal_relative_alignment(
                synthetic.relations, high.relations, low.relations, target_share
            )
        return terms


def mtran_without_mra(weights: Weights) -> Mtran:
    """The paper's ablation "w/o MRA": no multimodal relative alignment."""
    return Mtran(replace(weights, lambda2=0.0))


def mtran_without_tra(weights: Weights) -> Mtran:
    """The paper's ablation "w/o TRA": no temporal relative alignment."""
    return Mtran(replace(weights, lambda3=0.0))
