"""How far two things are apart: samples of two domains, or the predictions of two classifiers.

Letters: n and m videos, d features, c classes.
"""

import torch
from torch import Tensor

WIDTHS = tuple(2 ** (-8 + 1.414 * step) for step in range(12))  # those of MM-SADA's code, below 2^8


def maximum_mean_discrepancy(one: Tensor, other: Tensor) -> Tensor:
    r"""Squared distance of two samples' mean embeddings, summed over 12 kernels; biased.

    .. math:: \sum_g \overline{k_g(x, x')} + \overline{k_g(y, y')} - 2 \overline{k_g(x, y)}, \quad
              k_g(x, y) = e^{-\|x - y\|^2 / (g \bar D)}

    Gretton et al., JMLR 13, 2012, eq. 5; the kernels of MM-SADA's code (Munro and Damen, CVPR
    2020), whose constant 9.7 is here D, the mean squared distance within both samples together, so
    that the unit of the features does not matter. D is a constant: no gradient reaches it.

    Args: one (n, d), other (m, d).
    Returns: scalar in [0, 24], but for rounding; 0 for equal samples.
    """
    n, both = len(one), torch.cat([one, other])
    squared = (both[:, None] - both).square().sum(dim=2)  # (n + m, n + m)
    unit = squared.detach().mean().clamp_min(torch.finfo(both.dtype).tiny)
    kernels = torch.stack([(-squared / (width * unit)).exp() for width in WIDTHS]).sum(dim=0)
    return kernels[:n, :n].mean() + kernels[n:, n:].mean() - 2 * kernels[:n, n:].mean()


def classifier_discrepancy(one: Tensor, other: Tensor) -> Tensor:
    r"""How differently two classifiers see the same videos.

    .. math:: \frac1{nc} \sum_{ik} |p_{ik} - q_{ik}|

    Saito et al., "Maximum Classifier Discrepancy for Unsupervised Domain Adaptation", CVPR 2018,
    eq. 2.

    Args: one and other (n, c), unnormalised logits.
    Returns: scalar in [0, 2 / c]; 0 where they agree.
    """
    return (one.softmax(dim=1) - other.softmax(dim=1)).abs().mean()
