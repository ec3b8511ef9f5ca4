"""3C-GAN: videos made for a class, which look like the target's, teach the model. Source-free.

Li, Jiao, Cao, Wong and Wu, "Model Adaptation: Unsupervised Domain Adaptation without Source Data",
CVPR 2020. A generator makes clips' features from a class and noise; a discriminator tells them from
the target's; the prediction model learns the class from them, stays near the source model, and is
to be sure of the target's videos and steady around them (virtual adversarial training).

Differs: the original makes images. The three networks step at once, not in turns: each term reaches
only the weights that it is for. The model's predictions are to be even over the classes: as
published nothing keeps being sure from putting all videos into one class, which it did here. The
classifier stays as it is, as with every method here. Classes are made in equal numbers, not drawn.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.adversarial_losses import adversarial_change, squared_distance
from pipeline.consistency_losses import divergences
from pipeline.features import Features
from pipeline.losses import entropies, marginal_entropy
from pipeline.methods.adversaries import adversaries, constant, game, halves
from pipeline.methods.method import Extra, Memory, Method
from pipeline.methods.pairs import Batch
from pipeline.model import Model
from pipeline.network import Output, RelationNetwork
from pipeline.runs import Tensors


@dataclass(frozen=True)
class ThreeCGan(Method):
    """The state `source` holds the weights of the source model."""

    noise: int = 128
    """Random numbers that a video is made of. Ours."""
    hidden: int = 1024
    """Width of generator and discriminator. Ours."""
    adam_lr: float = 1e-4
    """Learning rate of generator and discriminator. Ours."""
    semantic: float = 1.0
    """Weight of the class in what the generator learns. Ours."""
    made: float = 0.1
    """Weight of the made videos in what the model learns. Ours."""
    ramp: float = 0.2
    """Share of the run in which that weight grows from 0. Ours."""
    anchor: float = 1e-4
    """Weight of the squared distance from the source model's weights. Ours."""
    clustering: float = 1.0
    """Weight of being sure and steady on the target's videos. Ours."""
    balance: float = 1.0
    """Weight of even classes among them, in `clustering`; 0 as published. Ours."""
    radius: float = 0.01
    """Length of the adversarial change, as a share of the batch's mean length. Ours."""

    def extras(self, network: RelationNetwork, clips: int, seed: int) -> dict[str, Extra]:
        """The generator and the discriminator."""
        modules = adversaries(network, clips, self.noise, self.hidden, seed)
        return {name: Extra(module, self.adam_lr) for name, module in modules.items()}

    def begin(self, predictions: Output, features: Features, weights: Tensors) -> dict[str, Any]:
        """The weights that the model stays near."""
        return {"source": weights}

    def losses(
        self, model: Model, features: Features, batch: Batch, memory: Memory
    ) -> dict[str, Tensor]:
        """What discriminator, generator and model learn, each from terms of its own."""
        clips = torch.cat([features.rgb[batch.videos], features.flow[batch.videos]], dim=2)
        classes = len(model.weights["classifier.bias"])
        labels = torch.arange(len(clips), device=clips.device) % classes
        made = model.extra("generator", model.noise.normal(len(clips), self.noise), labels)
        taught = F.cross_entropy(model(*halves(made.detach())).logits, labels)
        return {
            **game(model, clips, made, labels, self.semantic),
            "made_videos": self.made * min(1.0, model.progress / self.ramp) * taught,
            "anchor": self.anchor * squared_distance(model.weights, model.state["source"]),
            **self._clustering(model, clips),
        }

    def _clustering(self, model: Model, clips: Tensor) -> dict[str, Tensor]:
        """Without dropout, so that nothing but the change moves a prediction."""
        logits = model.still(*halves(clips)).logits
        target, fixed = logits.softmax(dim=1).detach(), constant(model.weights)

        def moved(change: Tensor, weights: Tensors | None = None) -> Tensor:
            changed = model.still(*halves(clips + change), weights=weights)
            return divergences(target, changed.logits).mean()

        direction = model.noise.normal(*clips.shape)
        length = self.radius * clips.flatten(1).norm(dim=1).mean()
        change = adversarial_change(lambda r: moved(r, fixed), direction, length)
        return {
            "entropy": self.clustering * entropies(logits).mean(),
            "imbalance": -self.clustering * self.balance * marginal_entropy(logits),
            "steadiness": self.clustering * moved(change),
        }
