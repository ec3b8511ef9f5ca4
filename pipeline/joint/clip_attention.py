"""What a clip alone knows of its video's class, as a target for the attention between clips.

Choi, Sharma, Schulter and Huang, "Shuffle and Attend: Video Domain Adaptation", ECCV 2020; the
formula is reconstructed from what the method is said to do, not taken from the paper.
"""

import torch.nn.functional as F
from torch import Tensor


def attention_loss(scores: Tensor, clip_logits: Tensor, labels: Tensor) -> Tensor:
    r"""Attention goes to the clips that are classified better than the others of their video.

    .. math:: -\frac1n \sum_i \sum_t \frac{p_{it y_i}}{\sum_u p_{iu y_i}} \log a_{it}

    Here p are a clip's class probabilities and a the softmax of a video's scores. The shares of p
    are constants: clips do not learn from being looked at.

    Args:
        scores: (n, T), unnormalised.
        clip_logits: (n, T, c), unnormalised.
        labels: (n,), integers in [0, c).

    Returns: scalar, at least 0; log T where scores of a video are equal.
    """
    logs = clip_logits.detach().log_softmax(dim=2)
    own = logs.gather(2, labels[:, None, None].expand(-1, logs.shape[1], 1)).squeeze(2)  # (n, T)
    return F.cross_entropy(scores, own.softmax(dim=1))
