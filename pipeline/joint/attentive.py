"""What domains say of a prediction: domain attention and the attentive entropy of TA3N.

Chen, Kira, AlRegib, Yoo, Chen and Zheng, "Temporal Attentive Alignment for Large-Scale Video Domain
Adaptation", ICCV 2019.
"""

from torch import Tensor


def domain_attention(domains: Tensor) -> Tensor:
    r"""How plainly each thing shows its domain: :math:`w = 1 - H(\hat d)`, eq. 3.

    What is told apart easily is what differs between the domains, and is to be aligned. No gradient
    reaches the discriminator: it learns the domains from their labels alone.

    Args: domains (..., 2), unnormalised.
    Returns: (...), each in [1 - log 2, 1]; 1 where the domain is sure.
    """
    return 1 - _entropies(domains.detach())


def attentive_entropy(logits: Tensor, domains: Tensor) -> Tensor:
    r"""Decided on each video, most of all where the domains look alike.

    .. math:: \frac1n \sum_i (1 + H(\hat d_i)) \, H(\hat y_i)

    TA3N, eq. 6. No gradient reaches the domains: their discriminator must not grow sure for this.

    Args: logits (n, c) and domains (n, 2), unnormalised.
    Returns: scalar in [0, (1 + log 2) log c]; 0 where all is decided.
    """
    return ((1 + _entropies(domains.detach())) * _entropies(logits)).mean()


def _entropies(logits: Tensor) -> Tensor:
    """Entropy along the last axis."""
    logs = logits.log_softmax(dim=-1)
    return -(logs.exp() * logs).sum(dim=-1)
