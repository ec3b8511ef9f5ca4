"""What a network says of videos, without gradients: one network, or several runs at once."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.network import Output, RelationNetwork
from pipeline.runs import Tensors, pick


def predict(model: RelationNetwork, features: Features, batch_size: int = 1024) -> Output:
    """What the model says of all n videos, on the model's device; no gradients.

    Raises:
        UserError: features of another width than the model's.
    """
    require_width(model, features)
    weights = {name: weight[None] for name, weight in weights_of(model).items()}
    on_device = features.to(_device(model))
    return pick(predict_runs(model, weights, on_device, batch_size), 0)


@torch.no_grad()
def predict_runs(
    network: nn.Module, weights: Tensors, features: Features, batch_size: int = 1024
) -> Any:
    """What each run's network says of all n videos: its named tuple, with the runs first."""

    def one(weights: Tensors, rgb: Tensor, flow: Tensor) -> Any:
        return functional_call(network, weights, (rgb, flow))

    parts = [
        torch.vmap(one, in_dims=(0, None, None))(weights, rgb, flow)
        for rgb, flow in zip(
            features.rgb.split(batch_size), features.flow.split(batch_size), strict=True
        )
    ]
    return type(parts[0])(*(torch.cat(values, dim=1) for values in zip(*parts, strict=True)))


def weights_of(model: RelationNetwork) -> Tensors:
    """The weights by name, without gradients."""
    return {name: weight.detach() for name, weight in model.state_dict().items()}


def _device(model: RelationNetwork) -> torch.device:
    return model.classifier.weight.device


def require_width(model: RelationNetwork, features: Features) -> None:
    """Raises UserError unless the features are as wide as the model's."""
    if features.dim != model.dim:
        raise UserError(
            f"features are {features.dim} wide, the model expects {model.dim}; extract them with "
            "the backbone that the source model was trained on, or train a new source model"
        )
