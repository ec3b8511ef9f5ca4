"""Learning from labels that may be wrong: which videos to trust, and losses over those."""

import torch
import torch.nn.functional as F
from torch import Tensor


def small_losses(losses: Tensor, labels: Tensor, share: float) -> Tensor:
    r"""Of each label, the videos whose loss is small: a network learns wrong labels last.

    .. math:: \text{kept}_i \iff \ell_i \le Q_r(\{\ell_j : y_j = y_i\})

    CleanAdapt: Dasgupta et al., "Overcoming Label Noise for Source-free Unsupervised Video Domain
    Adaptation", ICVGIP 2022. Q_r is the quantile with linear interpolation, as in its code: of m
    videos of a label floor(r (m - 1)) + 1 are kept, ties aside, never none.

    Args:
        losses: (n,), finite.
        labels: (n,), integers.
        share: r in [0, 1].

    Returns: (n,) booleans.
    """
    kept = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        own = labels == label
        kept[own] = losses[own] <= losses[own].quantile(share)
    return kept


def kept_cross_entropy(logits: Tensor, labels: Tensor, kept: Tensor) -> Tensor:
    r"""Cross-entropy of the videos that are kept, a mean over them.

    .. math:: -\frac1{\sum_i w_i} \sum_i w_i \log p_i(y_i), \quad w_i \in \{0, 1\}

    Args:
        logits: (n, c), unnormalised.
        labels: (n,), integers in [0, c).
        kept: w, (n,), booleans.

    Returns: scalar, at least 0; 0 if no video is kept.
    """
    weights = kept.to(logits.dtype)
    losses = F.cross_entropy(logits, labels, reduction="none")
    return (weights * losses).sum() / weights.sum().clamp(min=1)


def mixed_cross_entropy(logits: Tensor, high: Tensor, low: Tensor, share: Tensor) -> Tensor:
    r"""Mixup: a mixture of two videos is to be predicted as the mixture of their labels.

    .. math:: -\frac1n \sum_j \lambda_j \log \tilde p_j(y_j^{high})
              + (1 - \lambda_j) \log \tilde p_j(y_j^{low})

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.

    Args:
        logits: (n, c), of the mixed videos, unnormalised.
        high: (n,), labels of each pair's first video.
        low: (n,), labels of each pair's second video.
        share: lambda, (n,), the first video's share, in [0, 1].

    Returns: scalar, at least 0.
    """
    first = F.cross_entropy(logits, high, reduction="none")
    second = F.cross_entropy(logits, low, reduction="none")
    return (share * first + (1 - share) * second).mean()
