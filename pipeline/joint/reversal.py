"""Gradient reversal, and domain discriminators behind it.

Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML 2015.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.model import Model

HIDDEN = 100  # width of MM-SADA's discriminators


def reversed_gradient(values: Tensor, strength: float) -> Tensor:
    """The same values; backwards, their gradient times -strength."""
    return _Reversal.apply(values, strength)


def ramp(progress: float, top: float) -> float:
    r"""The strength of reversal: :math:`c (2 / (1 + e^{-10 p}) - 1)`, from 0 towards `top`.

    Ganin and Lempitsky, section 4.1. Args: progress p in [0, 1); top c.
    """
    return top * (2 / (1 + math.exp(-10 * progress)) - 1)


def binary_head(width: int) -> nn.Module:
    """MM-SADA's discriminator: features (n, width) -> logits (n, 2)."""
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))


def domain_confusion(model: Model, source: Any, target: Any, strength: float) -> dict[str, Tensor]:
    r"""A modality's features fool a discriminator that tells the source (0) from the target (1).

    Its cross-entropy, mean over both domains' videos, through a gradient reversal: the extra
    modules `rgb_domain` and `flow_domain` descend it, the branches ascend it.

    Args: source and target, what the network says: named tuples with `rgb` and `flow` (n, d).
    Returns: a scalar a modality, at least 0.
    """
    return {
        f"{modality}_domain": confusion(
            model,
            f"{modality}_domain",
            getattr(source, modality),
            getattr(target, modality),
            strength,
        )
        for modality in ("rgb", "flow")
    }


def modality_confusion(
    model: Model, source: Any, target: Any, strength: float
) -> dict[str, Tensor]:
    """A domain's features fool a discriminator that tells RGB (0) from flow (1).

    The extra modules are `source_modality` and `target_modality`.

    Returns: a scalar a domain, at least 0.
    """
    return {
        f"{domain}_modality": confusion(model, f"{domain}_modality", said.rgb, said.flow, strength)
        for domain, said in (("source", source), ("target", target))
    }


def confusion(model: Model, judge: str, one: Tensor, other: Tensor, strength: float) -> Tensor:
    """Cross-entropy of the extra module `judge` behind a reversal: features (n, d) or (m, d)?"""
    logits = model.extra(judge, reversed_gradient(torch.cat([one, other]), strength))
    return two_sample_cross_entropy(logits[: len(one)], logits[len(one) :])


def two_sample_cross_entropy(one: Tensor, other: Tensor) -> Tensor:
    r"""How well a discriminator tells two samples apart: class 0 and class 1.

    .. math:: -\frac1{n + m} \Big( \sum_i \log p_{i0} + \sum_j \log q_{j1} \Big)

    Args: one (n, ..., 2) and other (m, ..., 2), unnormalised logits; rows of all axes count alike.
    Returns: scalar, at least 0; log 2 where all is undecided.
    """
    said = [logits.flatten(0, -2) for logits in (one, other)]
    samples = [torch.full((len(rows),), k, device=rows.device) for k, rows in enumerate(said)]
    return F.cross_entropy(torch.cat(said), torch.cat(samples))


class _Reversal(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, strength: float) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.strength = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None
