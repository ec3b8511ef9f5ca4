"""Losses of consistency: what a network says of one video in several ways should agree.

Pure functions of tensors, as in `losses`. Letters: n videos, c classes, d features, s scales.
"""

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from pipeline.losses import entropies

SMALLEST_VARIANCE = 1e-5  # of a feature over the batch: below it the feature counts as constant


def divergences(target: Tensor, logits: Tensor) -> Tensor:
    r"""How far each prediction is from its target: :math:`KL(t_i \| p_i)`.

    The target is constant: no gradient reaches it.

    Args:
        target: (n, c), rows sum to 1; zeros are allowed.
        logits: (n, c), unnormalised, finite.

    Returns: (n,), each at least 0 (but for rounding); 0 where the prediction is its target.
    """
    target = target.detach()
    return (torch.special.xlogy(target, target) - target * logits.log_softmax(dim=1)).sum(dim=1)


def confidences(logits: Tensor) -> Tensor:
    r"""How decided each prediction is: :math:`1 - H(p_i) / \log c`.

    Args: logits (n, c), unnormalised, finite; c at least 2.
    Returns: (n,), each in [0, 1]; 0 for the uniform prediction.
    """
    return 1 - entropies(logits) / math.log(logits.shape[1])


def prediction_consistency(logits: Sequence[Tensor]) -> Tensor:
    r"""Moves the prediction of every scale to the average of all, the surer ones more.

    .. math:: \frac1{sn} \sum_{k, i} w_{ki} \, KL(\bar p_i \| p_{ki}), \quad
              \bar p_i = \frac1s \sum_k p_{ki}, \quad w_{ki} = 1 - H(p_{ki}) / \log c

    ATCoN (ECCV 2022), its local prediction consistency. Average and weights are constants here;
    the authors' code lets gradients through both, where a scale gets off by being less sure.

    Args: logits, s times (n, c), of the same videos.
    Returns: scalar, at least 0 (but for rounding); 0 where the scales agree, or none is sure.
    """
    scales = torch.stack(list(logits))  # (s, n, c)
    average = scales.softmax(dim=2).mean(dim=0)  # (n, c)
    pulls = [confidences(own).detach() * divergences(average, own) for own in logits]
    return torch.stack(pulls).mean()


def feature_consistency(features: Sequence[Tensor], *, off_diagonal: float = 3.9e-3) -> Tensor:
    r"""Every feature alike in all scales, and no feature a copy of another.

    .. math:: \frac12 \Big( \sum_a (1 - C_{aa})^2 + \gamma \sum_{a \ne b} C_{ab}^2 \Big)

    averaged over the pairs of scales; C (d, d) is the correlation, over the videos, of the features
    of one scale with those of the other. ATCoN (ECCV 2022), after Barlow Twins (ICML 2021), with
    the authors' factors; as in Barlow Twins features are standardised over the batch first.

    Args:
        features: s times (n, d), of the same videos; s and n at least 2.
        off_diagonal: gamma.

    Returns: scalar, at least 0; 0 for uncorrelated features that all scales agree on. A feature
        that is the same for all videos counts 1/2 and has no gradient to speak of.
    """
    standard = [_standardised(own) for own in features]
    losses = []
    for one, other in combinations(standard, 2):
        correlation = one.T @ other / len(one)  # (d, d)
        diagonal = correlation.diagonal()
        rest = correlation.square().sum() - diagonal.square().sum()
        losses.append(((1 - diagonal).square().sum() + off_diagonal * rest) / 2)
    return torch.stack(losses).mean()


def _standardised(features: Tensor) -> Tensor:
    centred = features - features.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + SMALLEST_VARIANCE).sqrt()
