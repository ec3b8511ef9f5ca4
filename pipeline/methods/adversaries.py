"""Two networks at odds: one makes the features of a video's clips, the other finds them out.

Letters: n videos, T clips, d features of a modality, c classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.adversarial_losses import deception, discrimination
from pipeline.model import Model
from pipeline.network import RelationNetwork
from pipeline.noise import initial_weights
from pipeline.runs import Tensors


class Generator(nn.Module):
    """Noise (n, noise) and classes (n,), numbers -> clips (n, T, 2d), rgb beside flow.

    What it makes is non-negative, as the features of a backbone that ends in a ReLU are.
    """

    def __init__(self, noise: int, classes: int, hidden: int, clips: int, dim: int):
        super().__init__()
        self.clips = clips
        self.classes = classes
        self.layers = nn.Sequential(
            nn.Linear(noise + classes, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, clips * 2 * dim),
            nn.ReLU(),
        )

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        """The clips that it makes."""
        one_hot = torch.eye(self.classes, device=noise.device)[classes]
        made: Tensor = self.layers(torch.cat([noise, one_hot], dim=1))
        return made.unflatten(1, (self.clips, -1))


class Discriminator(nn.Module):
    """Clips (n, T, 2d) -> scores (n,), high for real videos; the clips' order has no effect."""

    def __init__(self, hidden: int, dim: int):
        super().__init__()
        self.each = nn.Sequential(
            nn.Linear(2 * dim, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
        )
        self.score = nn.Linear(hidden, 1)

    def forward(self, clips: Tensor) -> Tensor:
        """The scores, unbounded."""
        scores: Tensor = self.score(self.each(clips).mean(dim=1))
        return scores.squeeze(1)


def adversaries(
    network: RelationNetwork, clips: int, noise: int, hidden: int, seed: int
) -> dict[str, nn.Module]:
    """Both, for a network; `seed` of their initial weights, global random numbers left alone."""
    with initial_weights(seed):
        return {
            "generator": Generator(noise, network.classes, hidden, clips, network.dim),
            "discriminator": Discriminator(hidden, network.dim),
        }


def game(
    model: Model, clips: Tensor, made: Tensor, labels: Tensor, semantic: float
) -> dict[str, Tensor]:
    """What the discriminator learns, then the generator; no term reaches another's weights.

    Args:
        model: with both as extras.
        clips: (n, T, 2d), real.
        made: (n, T, 2d), of the generator.
        labels: (n,), the classes that they were made for.
        semantic: weight of the model's recognising them.
    """
    real = model.extra("discriminator", clips)
    found = model.extra("discriminator", made.detach())
    judged = model.extra("discriminator", made, constant=True)
    logits = model.still(*halves(made), weights=constant(model.weights)).logits
    return {
        "discrimination": discrimination(real, found),
        "deception": deception(judged),
        "semantic": semantic * F.cross_entropy(logits, labels),
    }


def halves(clips: Tensor) -> tuple[Tensor, Tensor]:
    """Clips (n, T, 2d) -> rgb and flow, (n, T, d) each."""
    rgb, flow = clips.chunk(2, dim=2)
    return rgb, flow


def constant(weights: Tensors) -> Tensors:
    """The same weights; no gradient reaches them."""
    return {name: weight.detach() for name, weight in weights.items()}
