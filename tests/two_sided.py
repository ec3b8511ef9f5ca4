"""Joint training in tests: two small domains, small networks, one seed or the first step of it."""

import torch
from torch import Tensor
from two_domains import two_domains

from pipeline.descent import Settings
from pipeline.joint import JointBatch, JointData, JointMethod
from pipeline.joint.late_fusion import LateFusionNetwork
from pipeline.joint.shape import JointNetwork, Shape
from pipeline.joint.training import Trained, fit, predict
from pipeline.metrics import accuracy
from pipeline.model import Model
from pipeline.noise import Noise

CLASSES = 6
SOURCE, TARGET = two_domains(seed=0, videos=(180, 150), shift=1.5)
DATA = JointData(SOURCE.features, SOURCE.labels, TARGET.features)


def network(
    seed: int = 0, *, batch_norm: bool = False, layers: int = 1, dropout: float = 0.3
) -> LateFusionNetwork:
    return LateFusionNetwork(
        SOURCE.features.dim,
        CLASSES,
        layers=layers,
        dropout=dropout,
        batch_norm=batch_norm,
        seed=seed,
    )


def network_of(
    method: JointMethod, seed: int = 0, *, layers: int = 1, dropout: float = 0.3
) -> JointNetwork:
    """The network that the method trains."""
    features = SOURCE.features
    return method.network(Shape(features.dim, CLASSES, features.clips, layers, dropout), seed)


def data_of(method: JointMethod) -> JointData:
    """What the method learns from."""
    if method.learns_from == "target":
        return JointData(TARGET.features, TARGET.labels, TARGET.features)
    return DATA


def fitted(method: JointMethod, settings: Settings, seed: int = 0) -> Trained:
    return fit({seed: network_of(method, seed)}, data_of(method), method, settings)[seed]


def score(model: JointNetwork) -> float:
    return accuracy(predict(model, TARGET.features).logits.argmax(dim=1), TARGET.labels)


def in_a_step(
    method: JointMethod, start: JointNetwork, progress: float = 0.5, seed: int = 0
) -> Model:
    """What a method sees of the network in a step."""
    extras = method.extras(start, seed)
    return Model(
        start,
        {name: weight.detach() for name, weight in start.state_dict().items()},
        Noise(torch.tensor(seed), torch.device("cpu")),
        modules={name: extra.module for name, extra in extras.items()},
        extras={name: dict(extra.module.state_dict()) for name, extra in extras.items()},
        state=method.begin(predict(start, DATA.source), predict(start, DATA.target)),
        progress=progress,
    )


BATCH = JointBatch(torch.arange(0, 40), torch.arange(20, 52))


def terms(method: JointMethod, start: JointNetwork, progress: float = 0.5) -> dict[str, Tensor]:
    return method.losses(in_a_step(method, start, progress), DATA, BATCH)
