"""The network of one run during one step, as a method of adaptation sees it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from pipeline.network import Output
from pipeline.noise import Noise
from pipeline.runs import Tensors

State = Mapping[str, Any]  # named tensors, or mappings of them


class Model:
    """A network as a function of its weights; called, it makes a training pass, with dropout.

    Args:
        network: the shape; its own weights count for nothing.
        weights: by name.
        noise: all that is random in this step.
        modules: shapes of what a method trains beside the network, by name.
        extras: their weights.
        state: what the method carried on from the step before.
        progress: share of the run that is over, in [0, 1).
    """

    def __init__(
        self,
        network: nn.Module,
        weights: Tensors,
        noise: Noise,
        *,
        modules: Mapping[str, nn.Module] | None = None,
        extras: Mapping[str, Tensors] | None = None,
        state: State | None = None,
        progress: float = 0.0,
    ):
        self.weights = weights
        self.noise = noise
        self.extras = extras or {}
        self.state = state or {}
        self.progress = progress
        self.kept: Tensors = {}
        self._network = network
        self._modules = modules or {}

    def __call__(self, rgb: Tensor, flow: Tensor) -> Output:
        """Clips (n, T, d) of both modalities to what the network says, with dropout."""
        return functional_call(self._network, self.weights, (rgb, flow, self.noise))

    def still(self, rgb: Tensor, flow: Tensor, weights: Tensors | None = None) -> Output:
        """The same without dropout; with other `weights`, a teacher's."""
        return functional_call(self._network, weights or self.weights, (rgb, flow))

    def classify(self, fused: Tensor) -> Tensor:
        """Fused features (n, d) -> logits (n, c), by the network's classifier."""
        weight, bias = self.weights["classifier.weight"], self.weights["classifier.bias"]
        return fused @ weight.T + bias

    def extra(self, name: str, *inputs: Tensor, constant: bool = False) -> Any:
        """What the extra module says; `constant`: no gradient reaches its weights."""
        weights = self.extras[name]
        if constant:
            weights = {key: weight.detach() for key, weight in weights.items()}
        return functional_call(self._modules[name], weights, inputs)

    def keep(self, **tensors: Tensor) -> None:
        """Notes constants of this step for the method's `after_step`."""
        self.kept |= {name: tensor.detach() for name, tensor in tensors.items()}
