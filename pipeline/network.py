"""The relation network: per modality a stack of attention layers over clips, fused, classified.

"Relative Alignment Network for Source-Free Multimodal Video Domain Adaptation", ACM MM 2022,
section 3.2. Where the paper is silent: dropout stands after each linear layer of a feed-forward
block and after the fusion, not on queries, keys and values; linear layers start as PyTorch's do,
the classifier with Xavier-normal weights and zero bias (as in SHOT, ICML 2020).

The network is a function of its weights, its inputs and, in training, of `Noise`: without noise
there is no dropout. It has neither a train nor an eval mode that one could forget to set.

Letters: n videos, T clips, d features, c classes, L layers.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.input_statistics import InputStatistics
from pipeline.noise import Noise, initial_weights


class Output(NamedTuple):
    """What the network says of n videos; every field has the videos first."""

    logits: Tensor
    """(n, c), unnormalised."""
    fused: Tensor
    """(n, d), f in the paper: what the classifier reads; non-negative."""
    rgb: Tensor
    """(n, d), f_r: mean over the clips."""
    flow: Tensor
    """(n, d), f_m: mean over the clips."""
    relations: Tensor
    """(n, 2, L, T, T): attention of rgb, then flow, per layer; rows are distributions."""

    @property
    def features(self) -> tuple[Tensor, Tensor, Tensor]:
        """What multimodal alignment aligns: rgb, flow and fused features, each (n, d)."""
        return self.rgb, self.flow, self.fused

    def part(self, videos: slice | Tensor) -> "Output":
        """The same of some of the videos."""
        return Output(*(values[videos] for values in self))


class RelationLayer(nn.Module):
    """One head of attention between the clips and a feed-forward block, each with post-norm.

    Eq. 1 to 3: A = softmax(Q K^T / sqrt(d)); Z = norm(A V + X); norm(feed_forward(Z) + Z).
    """

    def __init__(self, dim: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.attention_norm = nn.LayerNorm(dim)
        self.feed_in = nn.Linear(dim, dim)
        self.feed_out = nn.Linear(dim, dim)
        self.feed_forward_norm = nn.LayerNorm(dim)

    def forward(self, clips: Tensor, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Clips (n, T, d) -> clips (n, T, d) and their relations (n, T, T)."""
        scores = self.query(clips) @ self.key(clips).transpose(-2, -1)  # (n, T, T)
        relations = (scores / math.sqrt(clips.shape[-1])).softmax(dim=-1)
        attended = self.attention_norm(relations @ self.value(clips) + clips)
        return self.feed_forward_norm(self._fed(attended, noise) + attended), relations

    def _fed(self, clips: Tensor, noise: Noise | None) -> Tensor:
        hidden = _dropped(self.feed_in(clips).relu(), self.dropout, noise)
        return _dropped(self.feed_out(hidden), self.dropout, noise)


class Branch(nn.Module):
    """The layers of one modality, then the mean over the clips; the clips' order has no effect."""

    def __init__(self, dim: int, layers: int, dropout: float):
        super().__init__()
        self.layers = nn.ModuleList(RelationLayer(dim, dropout) for _ in range(layers))

    def forward(self, clips: Tensor, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Clips (n, T, d) -> their mean feature (n, d) and all relations (n, L, T, T)."""
        relations = []
        for layer in self.layers:
            clips, related = layer(clips, noise)
            relations.append(related)
        return clips.mean(dim=1), torch.stack(relations, dim=1)


class RelationNetwork(nn.Module):
    """Two branches, a fusion layer, a classifier; in front, the statistics of its input.

    Args:
        dim: d, the width of a clip's feature in each modality, and of everything inside.
        classes: c.
        layers: L, at least 1.
        dropout: share of values dropped while training, in [0, 1).
        seed: of the initial weights; the global random numbers are left alone.
    """

    def __init__(
        self, dim: int, classes: int, *, layers: int = 6, dropout: float = 0.3, seed: int = 0
    ):
        super().__init__()
        self.dim = dim
        self.classes = classes
        self.dropout = dropout
        self.inputs = InputStatistics(dim)
        with initial_weights(seed):
            self.rgb = Branch(dim, layers, dropout)
            self.flow = Branch(dim, layers, dropout)
            self.fusion = nn.Linear(2 * dim, dim)
            self.classifier = nn.Linear(dim, classes)
            nn.init.xavier_normal_(self.classifier.weight)
            nn.init.zeros_(self.classifier.bias)

    def forward(self, rgb: Tensor, flow: Tensor, noise: Noise | None = None) -> Output:
        """Clips of both modalities, each (n, T, d), to what the network says of the n videos."""
        rgb, flow = self.inputs(rgb, flow)
        rgb, rgb_relations = self.rgb(rgb, noise)  # (n, d)
        flow, flow_relations = self.flow(flow, noise)
        fused = self.fusion(torch.cat([rgb, flow], dim=1)).relu()
        fused = _dropped(fused, self.dropout, noise)
        relations = torch.stack([rgb_relations, flow_relations], dim=1)
        return Output(self.classifier(fused), fused, rgb, flow, relations)


def _dropped(values: Tensor, share: float, noise: Noise | None) -> Tensor:
    return values if noise is None else noise.drop(values, share)
