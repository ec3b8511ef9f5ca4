"""Batch normalisation with statistics of its own for each domain.

MM-SADA (Munro and Damen, CVPR 2020) normalises the source's and the target's half of a batch each
by its own statistics, in training and in tests; so does AdaBN (Li et al., 2016). Weights and biases
are shared. Running averages move once a step, by what `absorb` is told, so that neither
micro-batches nor activations that are computed again count twice.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.joint.method import Domain

MOMENTUM = 0.1  # share of a step in the running averages
DOMAINS: tuple[Domain, ...] = ("source", "target")


@dataclass
class Passing:
    """What all normalisations of a network know of the pass that goes through it."""

    domain: Domain = "source"
    own: bool = False
    """Whether clips are normalised by their own statistics, or by those that are stored."""
    seen: dict[tuple["DomainNorm", Domain], list[Tensor]] = field(default_factory=dict)
    """Of each normalisation, mean and variance (2, c) of each micro-batch since the last step."""


class DomainNorm(nn.Module):
    """Batch normalisation of (n, c, ...), in place of a PyTorch one whose values it begins with."""

    weight: Tensor
    bias: Tensor
    source: Tensor
    target: Tensor

    def __init__(self, norm: nn.BatchNorm3d, passing: Passing):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        assert norm.running_mean is not None
        assert norm.running_var is not None
        stored = torch.stack([norm.running_mean, norm.running_var])
        for domain in DOMAINS:
            self.register_buffer(domain, stored.clone())  # (2, c): mean, variance
        self.passing = passing

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; by its own statistics, or by those stored of the pass's domain.

        Raises UserError: a single value has no statistics of its own.
        """
        if not self.passing.own:
            mean, variance = getattr(self, self.passing.domain)
            return F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        if x.numel() == len(self.bias):
            raise UserError(
                "batch normalisation sees a single value of each channel, clips are that few and "
                "small; raise finetune.micro_batch, finetune.batch_size or decode.size, or set "
                "finetune.statistics: stored"
            )
        own = torch.stack([torch.zeros_like(self.bias), torch.ones_like(self.bias)]).detach()
        y = F.batch_norm(
            x, own[0], own[1], self.weight, self.bias, training=True, momentum=1.0, eps=self.eps
        )
        self.passing.seen.setdefault((self, self.passing.domain), []).append(own)
        return y


@torch.no_grad()
def own_statistics(passing: Passing) -> dict[tuple[DomainNorm, Domain], Tensor]:
    """What each normalisation has seen since the last step, mean over micro-batches: (2, c)."""
    means = {key: torch.stack(own).mean(dim=0) for key, own in passing.seen.items()}
    passing.seen.clear()
    return means


@torch.no_grad()
def absorb(statistics: dict[tuple[DomainNorm, Domain], Tensor], share: float = MOMENTUM) -> None:
    """Moves the stored statistics by a `share` of the way to these."""
    for (norm, domain), own in statistics.items():
        getattr(norm, domain).lerp_(own, share)


@torch.no_grad()
def know_source_alone(network: nn.Module) -> None:
    """The target's statistics become the source's: what a source model knows of a target."""
    for module in network.modules():
        if isinstance(module, DomainNorm):
            module.target.copy_(module.source)


def with_domain_norms(network: nn.Module, passing: Passing) -> nn.Module:
    """The network with every batch normalisation replaced."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm3d):
            network.set_submodule(name, DomainNorm(module, passing))
    return network


def with_one_domain(state: dict[str, Tensor], domain: Domain) -> dict[str, Tensor]:
    """Weights by name, with PyTorch's batch normalisations that know one domain's statistics."""
    others = tuple(f".bn.{other}" for other in DOMAINS)
    plain = {name: value for name, value in state.items() if not name.endswith(others)}
    for name, value in state.items():
        if name.endswith(f".bn.{domain}"):
            norm = name.removesuffix(f".{domain}")
            plain[f"{norm}.running_mean"], plain[f"{norm}.running_var"] = value.unbind()
            plain[f"{norm}.num_batches_tracked"] = torch.tensor(0)
    return plain
