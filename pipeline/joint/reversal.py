"""Gradient reversal, and domain discriminators behind it.

Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML 2015.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.joint.late_fusion import LateOutput
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


def domain_confusion(
    model: Model, source: LateOutput, target: LateOutput, strength: float
) -> dict[str, Tensor]:
    r"""A modality's features fool a discriminator that tells the source (0) from the target (1).

    Its cross-entropy, mean over both domains' videos, through a gradient reversal: the extra
    modules `rgb_domain` and `flow_domain` descend it, the branches ascend it.

    Returns: a scalar a modality, at least 0.
    """
    sizes = len(source.logits), len(target.logits)
    domains = torch.cat([source.logits.new_zeros(sizes[0]), source.logits.new_ones(sizes[1])])
    terms = {}
    for modality in ("rgb", "flow"):
        features = torch.cat([getattr(source, modality), getattr(target, modality)])
        logits = model.extra(f"{modality}_domain", reversed_gradient(features, strength))
        terms[f"{modality}_domain"] = F.cross_entropy(logits, domains.long())
    return terms


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
