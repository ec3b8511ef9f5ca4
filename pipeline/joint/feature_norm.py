"""Batch normalisation whose stored statistics are those of one pass, not a running average."""

import torch
from torch import Tensor, nn

EPSILON = 1e-5  # added to variances, as PyTorch's batch normalisation does


class FeatureNorm(nn.Module):
    """Batch normalisation of features (n, d), without a running average."""

    mean: Tensor
    variance: Tensor

    def __init__(self, dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("variance", torch.ones(dim))

    def forward(self, features: Tensor, own: bool) -> Tensor:
        """Normalises by the statistics of these features (`own`), or by the stored ones."""
        mean, variance = self.mean, self.variance
        if own:
            mean, variance = features.mean(dim=0), features.var(dim=0, unbiased=False)
        return (features - mean) * (variance + EPSILON).rsqrt() * self.weight + self.bias
