"""Losses that bring two sets of videos together as distributions, not video by video.

Letters: n and m videos, d features.
"""

import torch
from torch import Tensor

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the kernels, times the width
SMALLEST_WIDTH = 1e-12  # of videos that all coincide


def mean_squared_distance(features: Tensor) -> Tensor:
    r"""Between two different videos, on average: :math:`\frac1{n(n-1)} \sum_{ij} \|f_i - f_j\|^2`.

    Args: features (n, d), n at least 2.
    Returns: scalar, above 0 (1e-12 where all videos coincide).
    """
    # Twice the summed variance is the same number.
    return 2 * features.var(dim=0).sum().clamp(min=SMALLEST_WIDTH / 2)


def maximum_mean_discrepancy(one: Tensor, other: Tensor, width: Tensor) -> Tensor:
    r"""How far two sets of features are apart in the space of a sum of five Gaussian kernels.

    .. math:: \frac1{n^2} \sum_{ij} k(x_i, x_j) + \frac1{m^2} \sum_{ij} k(y_i, y_j)
              - \frac2{nm} \sum_{ij} k(x_i, y_j), \quad
              k(x, y) = \sum_{s \in \{1/4, 1/2, 1, 2, 4\}} \exp\Big(-\frac{\|x - y\|^2}{s g}\Big)

    The biased estimate of Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, with the kernels
    of Long et al., "Learning Transferable Features with Deep Adaptation Networks", ICML 2015.
    Gradients reach both sets.

    Args:
        one: x, (n, d).
        other: y, (m, d).
        width: g, scalar above 0; `mean_squared_distance` of both sets, as a constant, is usual.

    Returns: scalar in [0, 10]; 0 where the sets are equal.
    """
    features = torch.cat([one, other])
    features = features - features.mean(dim=0)  # distances stay, and lose less to rounding
    lengths = features.square().sum(dim=1)
    distances = (lengths[:, None] + lengths - 2 * features @ features.T).clamp(min=0)  # (n+m, n+m)
    kernel = torch.stack([(-distances / (scale * width)).exp() for scale in SCALES]).sum(dim=0)
    n = len(one)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
