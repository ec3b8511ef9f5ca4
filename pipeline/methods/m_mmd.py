"""M-MMD, MTRAN's variant with an absolute distance of distributions. Source-free.

"Relative Alignment Network for Source-Free Multimodal Video Domain Adaptation", ACM MM 2022,
ablations. Instead of aligning mixed videos, the videos of high and of low confidence of a batch are
drawn together as two distributions, in each kind of feature. In the paper this falls below the
source model: the surer videos are dragged away with the others.

The paper gives no kernel: here five Gaussians around the batch's mean squared distance. Only
multimodal alignment is replaced; there is no temporal alignment, as the name says. Neither side is
constant.
"""

import torch
from torch import Tensor

from pipeline.discrepancy_losses import maximum_mean_discrepancy, mean_squared_distance
from pipeline.features import Features
from pipeline.methods.method import Memory, Method
from pipeline.methods.pairs import Batch
from pipeline.methods.shot import clustering
from pipeline.model import Model
from pipeline.network import Output


class MMmd(Method):
    """SHOT's terms + lambda2 * the discrepancy of high and low confidence."""

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """SHOT's terms, then the discrepancy summed over RGB, flow and fused features."""
        videos = batch.videos
        real = model(features.rgb[videos], features.flow[videos])
        terms = clustering(real.logits, memory.pseudo_labels[videos], self.weights.lambda1)
        return terms | {"discrepancy": self.weights.lambda2 * _discrepancy(real, len(batch.high))}


def _discrepancy(real: Output, pairs: int) -> Tensor:
    kinds = []
    for kind in real.features:
        width = mean_squared_distance(kind.detach())
        kinds.append(maximum_mean_discrepancy(kind[:pairs], kind[pairs:], width))
    return torch.stack(kinds).sum()
