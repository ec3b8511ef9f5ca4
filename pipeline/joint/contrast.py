"""Contrastive losses over banks of stored features, across modalities and across domains.

Kim et al., "Learning Cross-modal Contrastive Features for Video Domain Adaptation", ICCV 2021.
Features are compared as directions: the paper does not say that they have length 1, but its
temperature of 0.1 comes from work on unit vectors, and without it the exponentials overflow.

Letters: n videos in a batch, m rows of a bank, d features, c classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.joint.pseudo_labels import mean_of_accepted


def cross_modal_contrast(
    rgb: Tensor, flow: Tensor, rgb_bank: Tensor, flow_bank: Tensor, videos: Tensor, tau: float
) -> Tensor:
    r"""Each video's RGB feature finds its own flow feature among those of its domain, and back.

    .. math:: \frac1{2n} \sum_i \Big(
              -\log \frac{e^{r_i \cdot M^f_i / \tau}}{\sum_j e^{r_i \cdot M^f_j / \tau}}
              -\log \frac{e^{f_i \cdot M^r_i / \tau}}{\sum_j e^{f_i \cdot M^r_j / \tau}} \Big)

    Eq. 1 to 3, a logarithm an anchor. As printed, eq. 2 has one logarithm of the ratio of sums over
    the batch; there, at this temperature, hard anchors get next to no gradient. All other videos of
    the domain are negatives, whatever their class; a bank holds one domain.

    Args:
        rgb: (n, d), rows of length 1.
        flow: (n, d), rows of length 1.
        rgb_bank: (m, d), rows of length 1, of the same domain.
        flow_bank: (m, d), likewise.
        videos: (n,), the row of each video in the banks.
        tau: temperature, above 0.

    Returns: scalar in [0, log(1 + (m - 1) e^{2 / tau})]; log(1 + (m - 1) e^{-1 / tau}) where
        positives meet and negatives are orthogonal, 0 if the bank has one row.
    """
    from_rgb = F.cross_entropy(rgb @ flow_bank.T / tau, videos)
    from_flow = F.cross_entropy(flow @ rgb_bank.T / tau, videos)
    return (from_rgb + from_flow) / 2


def pooled_cross_modal_contrast(
    rgb: Tensor, flow: Tensor, rgb_bank: Tensor, flow_bank: Tensor, videos: Tensor, tau: float
) -> Tensor:
    r"""The same with one logarithm a direction, as eq. 2 is printed: pairs are pooled inside it.

    .. math:: -\frac12 \log \frac{\sum_i e^{r_i \cdot M^f_i / \tau}}
                                 {\sum_{ij} e^{r_i \cdot M^f_j / \tau}}
              -\frac12 \log \frac{\sum_i e^{f_i \cdot M^r_i / \tau}}
                                 {\sum_{ij} e^{f_i \cdot M^r_j / \tau}}

    At a temperature of 0.1 the pairs that are alike already outweigh all others, so that those that
    are not get next to no gradient.

    Args: as of `cross_modal_contrast`.

    Returns: scalar in [0, log(1 + (m - 1) e^{2 / tau})]; that of `cross_modal_contrast` for one
        anchor, or where all anchors are alike.
    """
    from_rgb = _pooled(rgb @ flow_bank.T / tau, videos)
    from_flow = _pooled(flow @ rgb_bank.T / tau, videos)
    return (from_rgb + from_flow) / 2


def _pooled(likeness: Tensor, videos: Tensor) -> Tensor:
    positives = likeness.gather(1, videos[:, None])  # (n, 1)
    return likeness.logsumexp(dim=(0, 1)) - positives.logsumexp(dim=(0, 1))


def cross_domain_contrast(
    anchors: Tensor, classes: Tensor, accepted: Tensor, bank: Tensor, labels: Tensor, tau: float
) -> Tensor:
    r"""Target videos move to the source's videos of their pseudo-class, in one modality.

    .. math:: \frac1{\sum_i a_i} \sum_i -a_i
              \log \frac{\sum_{j: y_j = \hat y_i} e^{t_i \cdot M_j / \tau}}
                        {\sum_j e^{t_i \cdot M_j / \tau}}

    Eq. 4 to 6. An anchor whose class the bank lacks has no positive and counts as not accepted.

    Args:
        anchors: (n, d), rows of length 1: the target's features.
        classes: (n,), integers in [0, c): their pseudo-labels.
        accepted: (n,), bool: whether a pseudo-label is sure enough.
        bank: (m, d), rows of length 1: the source's features.
        labels: (m,), integers in [0, c): the source's labels.
        tau: temperature, above 0.

    Returns: scalar, at least 0; 0 if no anchor is accepted or all rows have the anchor's class.
    """
    likeness = anchors @ bank.T / tau  # (n, m)
    positive = classes[:, None] == labels  # (n, m)
    counted = accepted & positive.any(dim=1)  # (n,)
    # The lowest finite number instead of -inf: an anchor without positives keeps a finite gradient.
    among_positives = likeness.masked_fill(~positive, torch.finfo(likeness.dtype).min)
    surprise = likeness.logsumexp(dim=1) - among_positives.logsumexp(dim=1)
    return mean_of_accepted(surprise.masked_fill(~counted, 0.0), counted)
