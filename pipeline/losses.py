"""Loss functions and what they are made of: tensors in, tensors out, nothing remembered.

Two papers define them. MTRAN: "Relative Alignment Network for Source-Free Multimodal Video Domain
Adaptation", ACM MM 2022. SHOT: Liang, Hu and Feng, "Do We Really Need to Access the Source Data?",
ICML 2020. Every loss is a mean over the videos of a batch, where MTRAN prints sums.

Letters: n videos, c classes, d features, T clips, L layers.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_RELATION = 1e-8  # a relation below this counts as this inside a logarithm


def entropies(logits: Tensor) -> Tensor:
    r"""How undecided each prediction is: :math:`H(p_i) = -\sum_k p_{ik} \log p_{ik}`.

    Args: logits (n, c), unnormalised, finite.
    Returns: (n,), each in [0, log c].
    """
    log_probabilities = logits.log_softmax(dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1)


def marginal_entropy(logits: Tensor) -> Tensor:
    r"""How evenly the predictions use the classes: :math:`H(\frac1n \sum_i p_i)`.

    Args: logits (n, c), unnormalised, finite.
    Returns: scalar in [0, log c].
    """
    # The mean is taken among logarithms: a class that nobody predicts keeps a finite gradient.
    log_marginal = logits.log_softmax(dim=1).logsumexp(dim=0) - math.log(len(logits))
    return -(log_marginal.exp() * log_marginal).sum()


def information_maximisation(logits: Tensor) -> Tensor:
    r"""Decided on each video, even over the classes: low entropies, high entropy of their mean.

    .. math:: \frac1n \sum_i H(p_i) - H\Big(\frac1n \sum_i p_i\Big)

    SHOT, eq. 3; MTRAN, eq. 6, of which two slips are mended: as printed the first term would push
    entropies up, and the mean prediction lacks its 1/n. No constant is added inside logarithms
    (SHOT's code adds 1e-5): they are taken of logits, where they are finite.

    Args: logits (n, c), unnormalised, finite.
    Returns: scalar in [-log c, 0]; -log c when decided and balanced, 0 when all predictions agree.
    """
    return entropies(logits).mean() - marginal_entropy(logits)


def entropy_split(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Splits the videos into those of high and those of low confidence, by entropy (MTRAN, 3.4).

    Args: logits (n, c), unnormalised, finite.
    Returns: positions of the n // 2 videos of lowest entropy, and of the others, both in order of
        entropy, equal ones in order of position. The odd video counts as one of low confidence.
    """
    order = entropies(logits).argsort(stable=True)
    return order[: len(order) // 2], order[len(order) // 2 :]


def centroid_pseudo_labels(
    features: Tensor, probabilities: Tensor, *, rounds: int = 2, append_one: bool = True
) -> Tensor:
    r"""Labels each video with the class whose centroid points most nearly the same way.

    .. math:: c_k = \frac{\sum_i p_{ik} f_i}{\sum_i p_{ik}}, \quad
              y_i = \arg\max_k \cos(f_i, c_k)

    MTRAN, section 3.3, with what SHOT's code adds to SHOT, eq. 4 to 6: features of length 1, a
    second round whose p are the labels of the first, and no label that the round before gave to
    nobody (before the first round: no class that is nobody's most probable one).

    Args:
        features: (n, d).
        probabilities: (n, c), rows sum to 1.
        rounds: how often centroids and labels are made, at least 1.
        append_one: gives every feature a further entry of 1 first, so that lengths count a little.

    Returns: (n,), integers in [0, c).
    """
    if append_one:
        features = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
    directions = F.normalize(features, dim=1)
    classes = torch.arange(probabilities.shape[1], device=features.device)
    labels, weights = probabilities.argmax(dim=1), probabilities
    for _ in range(rounds):
        given = (labels[:, None] == classes).any(dim=0)  # (c,)
        # A cosine does not see how long a centroid is: the sum serves as well as the mean.
        centroids = F.normalize(weights.T @ directions, dim=1)  # (c, d)
        cosines = (directions @ centroids.T).masked_fill(~given, -math.inf)  # (n, c)
        labels = cosines.argmax(dim=1)
        weights = (labels[:, None] == classes).to(directions.dtype)
    return labels


def mixing_factors(draws: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    r"""Shares of the video of high confidence, in the mixed clips and in what they should become.

    .. math:: \lambda = \sigma(|2 \lambda' - 1|), \quad \mu = \sigma(|2 \lambda' - 1| / \tau)

    MTRAN, eq. 7 and 8: the larger entry of the softmax over (lambda', 1 - lambda'). The two are
    close: for tau = 0.9 mu - lambda is 0.013 on average and never above 0.0213.

    Args:
        draws: (n,), lambda' in [0, 1].
        tau: temperature; below 1 it makes mu > lambda, which is the pull towards high confidence.

    Returns: lambda (n,) in [0.5, 0.7311] and mu (n,) in [0.5, sigmoid(1 / tau)].
    """
    lean = (2 * draws - 1).abs()
    return lean.sigmoid(), (lean / tau).sigmoid()


def mix(high: Tensor, low: Tensor, share: Tensor) -> Tensor:
    """Mixes pair by pair: share * high + (1 - share) * low (MTRAN, eq. 7, 8, 10).

    Args: high and low (n, ...), share (n,).
    Returns: (n, ...).
    """
    share = share.view(-1, *[1] * (high.ndim - 1))
    return share * high + (1 - share) * low


def multimodal_relative_alignment(
    synthetic: Sequence[Tensor], high: Sequence[Tensor], low: Sequence[Tensor], share: Tensor
) -> Tensor:
    r"""Moves the features of mixed videos to the mixture of their two videos' features.

    .. math:: \frac1n \sum_j \sum_f \frac1d
              \|\tilde f_j - (\mu_j f_j^{high} + (1 - \mu_j) f_j^{low})\|^2

    MTRAN, eq. 9, over the features f = f_r, f_m and the fused one. The paper leaves the distance
    open; the mean square is the one reading under which the paper's weight of 1 does not make the
    features collapse. The mixture is a constant target: no gradient reaches `high` and `low`.

    Args:
        synthetic: features of the mixed videos, a (n, d) per kind of feature.
        high: the same kinds, of each pair's video of high confidence.
        low: the same kinds, of each pair's video of low confidence.
        share: (n,), mu of `mixing_factors`.

    Returns: scalar, at least 0; 0 where the mixed videos meet their targets.
    """
    distances = [
        F.mse_loss(mixed, mix(sure, unsure, share).detach())
        for mixed, sure, unsure in zip(synthetic, high, low, strict=True)
    ]
    return torch.stack(distances).sum()


def temporal_relative_alignment(
    synthetic: Tensor, high: Tensor, low: Tensor, share: Tensor
) -> Tensor:
    r"""Moves the clip relations of mixed videos to the mixture of their two videos' relations.

    .. math:: \frac1n \sum_j \sum_{b, l, t} KL(\hat A_{jblt} \,\|\, \tilde A_{jblt}), \quad
              \hat A_j = \mu_j A_j^{high} + (1 - \mu_j) A_j^{low}

    MTRAN, eq. 10 and 11, summed over branches b, layers l and rows t. As printed, eq. 11 is minus a
    divergence and has no lower bound; ours is the divergence that the text describes, target first.
    The target is constant: no gradient reaches `high` and `low`.

    Args:
        synthetic: relations of the mixed videos, (n, ..., T), the last axis sums to 1.
        high: same shape, of each pair's video of high confidence.
        low: same shape, of each pair's video of low confidence.
        share: (n,), mu of `mixing_factors`.

    Returns: scalar, at least 0 (but for 1e-8 a row); 0 where relations meet their targets.
    """
    target = mix(high, low, share).detach()
    ratio = target.clamp_min(SMALLEST_RELATION).log() - synthetic.clamp_min(SMALLEST_RELATION).log()
    return (target * ratio).flatten(1).sum(dim=1).mean()
