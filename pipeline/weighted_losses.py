"""Losses that trust some videos, or some memories of them, more than others, and how much they do.

HCL: Huang, Guan, Xiao and Lu, "Model Adaptation: Historical Contrastive Learning for Unsupervised
Domain Adaptation without Source Data", NeurIPS 2021. Pure functions, as in `pipeline/losses.py`.

Letters: n videos, m keys, c classes, d features.
"""

import math

import torch.nn.functional as F
from torch import Tensor

from pipeline.losses import entropies


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    r"""Cross-entropy that counts each video as much as it is trusted.

    .. math:: -\frac1n \sum_i w_i \log p_{i y_i}

    HCL, section 3.2. The mean divides by n, not by the sum of the weights: a batch of which little
    is trusted moves the network little.

    Args: logits (n, c), finite; labels (n,), integers in [0, c); weights (n,), at least 0.
    Returns: scalar, at least 0.
    """
    return (weights * F.cross_entropy(logits, labels, reduction="none")).mean()


def agreement(logits: Tensor, historical: Tensor) -> Tensor:
    r"""How nearly two models predict the same: :math:`1 - \sigma(\|p_i - p'_i\|_1)`.

    HCL, section 3.2. A constant: no gradient reaches either model.

    Args: logits (n, c) of the model today and `historical` (n, c) of an earlier one, finite.
    Returns: (n,), each in [0.119, 0.5]; 0.5 where both predict the same.
    """
    distances = (logits.softmax(dim=1) - historical.softmax(dim=1)).abs().sum(dim=1)
    return (-distances).sigmoid().detach()


def reliabilities(logits: Tensor) -> Tensor:
    r"""How far each prediction is decided: :math:`1.1 - H(p_i) / \log c`, in [0.9, 1.1].

    The paper says no more than "by classification entropy"; numbers and bounds are those of its
    authors' code. A constant: no gradient reaches the logits.

    Args: logits (n, c), finite, c at least 2.
    Returns: (n,), each in [0.9, 1.1].
    """
    undecided = entropies(logits.detach()) / math.log(logits.shape[1])
    return (1.1 - undecided).clamp(0.9, 1.1)


def reliable_contrast(
    queries: Tensor, keys: Tensor, reliabilities: Tensor, own: Tensor, temperature: float
) -> Tensor:
    r"""Each query is nearer to its own keys than to the others; a reliable key counts more.

    .. math:: -\frac1n \sum_i \log \frac{\sum_{j \in O_i} r_j e^{q_i \cdot k_j / \tau}}
                                         {\sum_j r_j e^{q_i \cdot k_j / \tau}}

    HCL, eq. 1, there with a single key of its own for each query. A key of reliability 0 does not
    count at all.

    Args:
        queries: (n, d), of length 1.
        keys: (m, d), of length 1.
        reliabilities: (m,), at least 0.
        own: (n, m), booleans: O_i, of which at least one has a reliability above 0.
        temperature: tau, above 0.

    Returns: scalar, at least 0.
    """
    scores = queries @ keys.T / temperature + reliabilities.log()  # (n, m)
    return (scores.logsumexp(dim=1) - scores.masked_fill(~own, -math.inf).logsumexp(dim=1)).mean()
