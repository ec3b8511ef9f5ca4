"""Co-attention between the clips of two videos: which clips of one go with which of the other.

After Pan, Cao, Adeli and Niebles, "Adversarial Cross-Domain Action Recognition with Co-Attention",
AAAI 2020; reconstructed, see `pipeline/joint/tcon.py`.

Letters: n pairs of videos, S and T clips, d features.
"""

import math

from torch import Tensor


def co_attention(source: Tensor, target: Tensor) -> Tensor:
    r"""How much each target clip looks at each source clip of its pair.

    .. math:: A_{its} = \mathrm{softmax}_s \big( t_{it} \cdot s_{is} / \sqrt d \big)

    Args: source (n, S, d), target (n, T, d).
    Returns: (n, T, S); rows are distributions.
    """
    likeness = target @ source.transpose(1, 2) / math.sqrt(source.shape[2])  # (n, T, S)
    return likeness.softmax(dim=2)


def aligned(source: Tensor, attention: Tensor) -> Tensor:
    """The source in the target's time: (n, S, d) by (n, T, S) -> (n, T, d)."""
    return attention @ source


def looked_at(source: Tensor, attention: Tensor) -> Tensor:
    """Mean of the source's clips, weighed by how much the target looks at each: (n, d)."""
    return aligned(source, attention).mean(dim=1)
