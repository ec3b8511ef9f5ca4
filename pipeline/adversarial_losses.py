"""Losses of adversaries: a generator against a discriminator, a network against small changes.

Pure functions of tensors, as in `losses`. Letters: n videos, c classes, T clips, d features.
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor


def discrimination(real: Tensor, made: Tensor) -> Tensor:
    r"""How badly real and made videos are told apart: :math:`-E[\log D] - E[\log(1 - D)]`.

    Goodfellow et al., NeurIPS 2014, eq. 1, with :math:`D = \sigma(score)`.

    Args: scores of real and of made videos, (n,) each, high for real.
    Returns: scalar, at least 0; 2 log 2 where all scores are 0.
    """
    return F.softplus(-real).mean() + F.softplus(made).mean()


def deception(made: Tensor) -> Tensor:
    r"""How badly made videos pass for real: :math:`-E[\log D]`, the non-saturating form.

    Goodfellow et al., NeurIPS 2014, section 3.

    Args: scores of made videos, (n,), high for real.
    Returns: scalar, at least 0; log 2 where all scores are 0.
    """
    return F.softplus(-made).mean()


def squared_distance(weights: Mapping[str, Tensor], origin: Mapping[str, Tensor]) -> Tensor:
    r"""How far weights have moved: :math:`\|\theta - \theta_0\|^2`, summed over all of them.

    Args: weights by name, and where they came from, which is constant.
    Returns: scalar, at least 0.
    """
    squares = [(weights[name] - start.detach()).square().sum() for name, start in origin.items()]
    return torch.stack(squares).sum()


def adversarial_change(
    divergence: Callable[[Tensor], Tensor], direction: Tensor, length: Tensor
) -> Tensor:
    r"""The small change of each video that moves its prediction most, after one power iteration.

    .. math:: r_i = \ell \frac{g_i}{\|g_i\|}, \quad
              g = \nabla_{r} \sum_i KL(p(x_i) \| p(x_i + r_i)) \Big|_{r = \ell u}

    u is the normalised random `direction`. Miyato et al., "Virtual Adversarial Training", TPAMI
    2018, eq. 9 to 12, where r is taken at a far smaller length; at that length float32 sees no
    difference between the predictions. Works under `vmap`.

    Args:
        divergence: r (n, ...) to the sum, or any multiple, of the videos' divergences.
        direction: (n, ...), random, not 0.
        length: scalar, of every r, above 0.

    Returns: (n, ...), constant; 0 for a video whose prediction does not move.
    """
    begin = length * _normalised(direction)
    gradient: Tensor = torch.func.grad(divergence)(begin.detach())
    return (length * _normalised(gradient)).detach()


def _normalised(values: Tensor) -> Tensor:
    """Each video's values at length 1; first at maximum 1, so that no square underflows."""
    flat = values.flatten(1)
    flat = flat / flat.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(flat.dtype).tiny)
    return F.normalize(flat, dim=1).view_as(values)
