"""Memory banks: a direction a video, carried on from step to step.

Kim et al. (ICCV 2021, section 3.3), after Wu et al., "Unsupervised Feature Learning via
Non-parametric Instance Discrimination", CVPR 2018.
"""

import torch.nn.functional as F
from torch import Tensor

MOMENTUM = 0.5  # share of a row that stays


def filled(features: Tensor) -> Tensor:
    """A bank of the features (n, d) of a domain's n videos: rows of length 1."""
    return F.normalize(features, dim=1)


def updated(bank: Tensor, videos: Tensor, features: Tensor, momentum: float = MOMENTUM) -> Tensor:
    r"""The bank with the rows of a batch moved: :math:`M_i \leftarrow \delta M_i + (1-\delta) F_i`.

    Features and new rows have length 1. The paper does not say so; features as long as those that
    leave a layer normalisation would wipe a row of length 1 out whatever the momentum.

    Args: bank (m, d), videos (n,) without repetition, features (n, d), momentum in [0, 1].
    Returns: (m, d); rows that are not of the batch are the same to the bit.
    """
    moved = momentum * bank[videos] + (1 - momentum) * F.normalize(features, dim=1)
    rows = F.normalize(moved, dim=1)
    return bank.scatter(0, videos[:, None].expand_as(rows), rows)
