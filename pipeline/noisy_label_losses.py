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


def balanced_weights(labels: Tensor, kept: Tensor, balance: float) -> Tensor:
    r"""Weights of the videos that are kept, 1 on average: those of a frequent label weigh less.

    .. math:: w_i \propto m_{y_i}^{-\beta}, \quad m_y = |\{j \text{ kept} : y_j = y\}|

    Args:
        labels: (n,), integers, at least 0.
        kept: (n,), booleans.
        balance: beta in [0, 1]; 0: all kept videos weigh 1; 1: all labels weigh the same.

    Returns: (n,), at least 0; 0 of the others.
    """
    counts = torch.bincount(labels[kept], minlength=int(labels.max()) + 1)
    weights = kept / counts.clamp(min=1)[labels] ** balance
    return weights * kept.sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def kept_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    r"""Cross-entropy of the videos that are kept, their weighted mean.

    .. math:: -\frac1{|\{i : w_i > 0\}|} \sum_i w_i \log p_i(y_i)

    The mean divides by the number of those videos: a batch of light ones moves the network little.

    Args:
        logits: (n, c), unnormalised.
        labels: (n,), integers in [0, c).
        weights: w, (n,), at least 0, or booleans; a video of weight 0 is not kept.

    Returns: scalar, at least 0; 0 if no video is kept.
    """
    losses = F.cross_entropy(logits, labels, reduction="none")
    return (weights * losses).sum() / (weights > 0).sum().clamp(min=1)


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
