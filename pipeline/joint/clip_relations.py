"""Relations of clips on several time scales, of which domain attention weighs each.

The relation module of TRN (Zhou, Andonian, Oliva and Torralba, "Temporal Relational Reasoning in
Videos", ECCV 2018) with TA3N's domain attention (Chen et al., ICCV 2019).

Letters: n videos, T clips, d features, r relation features; T - 1 scales, from T clips down to 2.
"""

import itertools

import torch
from torch import Tensor, nn

from pipeline.joint.attentive import domain_attention
from pipeline.joint.reversal import reversed_gradient

SUBSETS = 3  # of the clips, for each scale, at most


class ClipRelations(nn.Module):
    """Per scale: subsets of so many clips, a layer, a domain discriminator; then their sum.

    Args:
        dim: d.
        clips: T, at least 2.
        width: r.
        strength: of the gradient reversal before the discriminators.
    """

    def __init__(self, dim: int, clips: int, width: int, strength: float):
        super().__init__()
        self.strength = strength
        scales = range(clips, 1, -1)
        self.subsets = [even_subsets(clips, scale) for scale in scales]
        self.relate = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Linear(scale * dim, width), nn.ReLU()) for scale in scales
        )
        self.judge = nn.ModuleList(domain_judge(width) for _ in scales)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Clips (n, T, d), in order -> a video's feature (n, r) and domain logits (n, T - 1, 2)."""
        relations = torch.stack([self._relation(clips, k) for k in range(len(self.subsets))], dim=1)
        hidden = reversed_gradient(relations, self.strength)  # (n, T - 1, r)
        domains = torch.stack([judge(hidden[:, k]) for k, judge in enumerate(self.judge)], dim=1)
        weights = 1 + domain_attention(domains)  # (n, T - 1)
        return (weights[:, :, None] * relations).sum(dim=1), domains

    def _relation(self, clips: Tensor, scale: int) -> Tensor:
        """The relation features of one scale (n, r), a sum over its subsets."""
        parts = [clips[:, list(subset)].flatten(1) for subset in self.subsets[scale]]
        return torch.stack([self.relate[scale](part) for part in parts]).sum(dim=0)


def even_subsets(clips: int, size: int) -> list[tuple[int, ...]]:
    """At most 3 of the ordered subsets of so many clips, evenly among all in lexical order."""
    every = list(itertools.combinations(range(clips), size))
    count = min(SUBSETS, len(every))
    return [every[-(-number * len(every) // count)] for number in range(count)]


def domain_judge(width: int) -> nn.Module:
    """A discriminator: features (..., width) -> logits (..., 2)."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
