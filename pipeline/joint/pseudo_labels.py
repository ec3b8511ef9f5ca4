"""Pseudo-labels: predictions of the target that are sure enough to be learnt from.

Letters: n videos, c classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def class_shares(labels: Tensor, classes: int) -> Tensor:
    """How often each class occurs: labels (n,), integers in [0, c) -> (c,), sums to 1."""
    return (labels[:, None] == torch.arange(classes, device=labels.device)).float().mean(dim=0)


def sure_classes(
    logits: Tensor, threshold: float, shares: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Pseudo-labels, and whether the probability of each is above the threshold.

    .. math:: \hat p_{ik} \propto p_{ik} \, s_k \Big/ \frac1n \sum_j p_{jk}

    Kim et al. (ICCV 2021) take the probabilities as they are (`shares` None). Under a shift that
    makes a network prefer a class, pseudo-labels then make it prefer it more, until it predicts
    nothing else. With the shares s of the classes, each batch's probabilities are moved to have
    these classes on average: distribution alignment of ReMixMatch (Berthelot et al., ICLR 2020),
    with the mean over the batch in place of a running one.

    Args:
        logits: (n, c), unnormalised.
        threshold: in [0, 1].
        shares: (c,), sums to 1: how often the classes occur among the source's labels.

    Returns: classes (n,), integers in [0, c), and accepted (n,), bool; constants.
    """
    probabilities = logits.detach().softmax(dim=1)
    if shares is not None:
        smallest = torch.finfo(probabilities.dtype).tiny
        weighted = probabilities * shares / probabilities.mean(dim=0).clamp_min(smallest)
        probabilities = weighted / weighted.sum(dim=1, keepdim=True).clamp_min(smallest)
    sure, classes = probabilities.max(dim=1)
    return classes, sure > threshold


def confident_cross_entropy(
    logits: Tensor, threshold: float, shares: Tensor | None = None
) -> Tensor:
    r"""Cross-entropy with the videos' own pseudo-labels, of those that are sure.

    .. math:: \frac1{\sum_i a_i} \sum_i -a_i \log p_{i \hat y_i}

    Kim et al., ICCV 2021, section 4.4: what they compare the cross-domain loss with.

    Args: logits (n, c), unnormalised; threshold and shares as in `sure_classes`.
    Returns: scalar, at least 0, and at most -log threshold without shares; 0 if none is sure.
    """
    classes, accepted = sure_classes(logits, threshold, shares)
    return mean_of_accepted(F.cross_entropy(logits, classes, reduction="none"), accepted)


def mean_of_accepted(values: Tensor, accepted: Tensor) -> Tensor:
    """Mean of the values (n,) where `accepted` (n,) is true; 0, with a gradient, if nowhere."""
    return (values * accepted).sum() / accepted.sum().clamp_min(1)
