"""What a method of joint training is: it sees the source with its labels, and the target without.

These methods are the company of the source-free ones, not of their kind: they train a network anew
on both domains at once. A method is written for one run, as those of `pipeline/methods` are;
`losses`, `alignment` and `after_step` run under `torch.vmap`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.joint.batches import JointBatch
from pipeline.joint.late_fusion import LateFusionNetwork
from pipeline.joint.shape import JointNetwork, Shape
from pipeline.joint.windows import Windows, seen
from pipeline.methods.method import Extra
from pipeline.model import Model
from pipeline.noise import initial_weights

Domain = Literal["source", "target"]
BESIDE = 0x9E3779B9  # far from the seeds that one gives; PyTorch's generator looks at 32 bits
AnyModule = TypeVar("AnyModule", bound=nn.Module)
Said = Any  # what the method's network says of some videos: its named tuple


class JointData(NamedTuple):
    """What is learnt from: videos of two domains, the source's with labels."""

    source: Features
    labels: Tensor
    """(n_s,), integers in [0, c): the source's classes."""
    target: Features


@dataclass(frozen=True)
class JointWeights:
    """How much the alignment of the domains counts; the defaults are Kim et al.'s (ICCV 2021).

    Raises:
        UserError: a value out of its range.
    """

    lambda_: float | None = None
    """Weight of all terms but the source's cross-entropy, at least 0; None: the method's own."""
    tau: float = 0.1
    """Temperature of contrastive losses, above 0."""
    threshold: float = 0.8
    """Probability above which a prediction counts as a pseudo-label, in [0, 1]."""

    def __post_init__(self) -> None:
        weight = 0.0 if self.lambda_ is None else self.lambda_
        ranges = {
            "lambda_": (math.isfinite(weight) and weight >= 0, "finite and at least 0"),
            "tau": (math.isfinite(self.tau) and self.tau > 0, "finite and above 0"),
            "threshold": (0 <= self.threshold <= 1, "in [0, 1]"),
        }
        for name, (fits, expected) in ranges.items():
            if not fits:
                raise UserError(f"{name} must be {expected}; found {getattr(self, name)}")


@dataclass(frozen=True)
class JointMethod:
    """Cross-entropy of the source's videos, and a method's own terms beside it."""

    weights: JointWeights

    frozen: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of weights that stay as they are."""
    own_lambda: ClassVar[float] = 1.0
    """`lambda_` where the weights name none."""
    warm_up: ClassVar[float] = 0.1
    """Share of the run in which the source's cross-entropy counts alone."""
    windows: ClassVar[Windows] = "independent"
    """Which clips of a video a step sees in RGB, and which in flow."""
    batch_norm: ClassVar[bool] = False
    """Whether the method needs a network with batch normalisation."""
    statistics: ClassVar[Domain] = "source"
    """Whose statistics a network with batch normalisation keeps."""
    sees_target: ClassVar[bool] = True
    """Whether training looks at the target's videos at all."""
    learns_from: ClassVar[Domain] = "source"
    """Whose labelled videos are the `source` of its data; `target` makes it an upper bound."""

    def settings(self, settings: Settings) -> Settings:
        """The descent's settings, where the method insists on some of its own."""
        return settings

    def network(self, shape: Shape, seed: int) -> JointNetwork:
        """The network that the method trains, with the initial weights of a seed."""
        return LateFusionNetwork.of(shape, self.batch_norm, seed)

    def extras(self, network: Any, seed: int) -> dict[str, Extra]:
        """What is trained beside the network."""
        return {}

    def begin(self, source: Said, target: Said) -> dict[str, Any]:
        """The state before the first step, from what the untrained network says of all videos."""
        return {}

    def losses(self, model: Model, data: JointData, batch: JointBatch) -> dict[str, Tensor]:
        """The batch's named loss terms, already weighted; the step descends their sum."""
        source = self.see(model, data.source, batch.source)
        terms = self.supervised(model, source, data.labels[batch.source])
        weight = self.lambda_ if model.progress >= self.warm_up else 0.0
        for name, value in self.alignment(model, data, batch, source).items():
            terms[name] = weight * value
        return terms

    def supervised(self, model: Model, source: Said, labels: Tensor) -> dict[str, Tensor]:
        """What is learnt of the source's labels (b_s,) from the first step on."""
        return {"cross_entropy": F.cross_entropy(source.logits, labels)}

    def alignment(
        self, model: Model, data: JointData, batch: JointBatch, source: Said
    ) -> dict[str, Tensor]:
        """Terms beside the cross-entropy, without `lambda_`; `source` is the pass of the batch."""
        raise NotImplementedError

    def after_step(self, model: Model, batch: JointBatch) -> dict[str, Any]:
        """The next state, from `model.state`, `model.kept` and the new `model.weights`."""
        return dict(model.state)

    @property
    def lambda_(self) -> float:
        """The weight of all terms but the source's cross-entropy."""
        return self.own_lambda if self.weights.lambda_ is None else self.weights.lambda_

    def see(self, model: Model, features: Features, videos: Tensor) -> Said:
        """A training pass over windows of some videos (n,)."""
        return model(*seen(features, videos, self.windows, model.noise))


def seeded(build: Callable[[], AnyModule], seed: int) -> AnyModule:
    """A new module; the global random numbers are left alone.

    Its initial weights are not those that a network of the same seed begins with: a first layer of
    the same shape would be the same layer.
    """
    with initial_weights((seed + BESIDE) % 2**32):
        return build()
