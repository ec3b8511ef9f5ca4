"""The first step of a run, for tests of what a method makes of it."""

import torch
from torch import Tensor

from pipeline.features import Features
from pipeline.methods import Method
from pipeline.model import Model
from pipeline.network import RelationNetwork
from pipeline.noise import Noise
from pipeline.prediction import predict


def in_a_step(method: Method, network: RelationNetwork, features: Features, seed: int = 0) -> Model:
    """What a method sees of the network in the first step of a run."""
    weights = {name: weight.detach() for name, weight in network.state_dict().items()}
    extras = method.extras(network, features.clips, seed)
    return Model(
        network,
        weights,
        Noise(torch.tensor(seed), torch.device("cpu")),
        modules={name: extra.module for name, extra in extras.items()},
        extras={name: dict(extra.module.state_dict()) for name, extra in extras.items()},
        state=method.begin(predict(network, features), features, weights),
    )


def terms(
    method: Method, network: RelationNetwork, features: Features, seed: int = 0
) -> dict[str, Tensor]:
    model = in_a_step(method, network, features, seed)
    memory = method.remember(predict(network, features), model.state)
    batch = next(method.batches(memory, 32, torch.Generator().manual_seed(seed)), None)
    return method.losses(model, features, batch, memory) if batch else {}
