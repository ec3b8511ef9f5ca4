"""Training of a single seed, for tests of what a run does."""

from collections.abc import Sequence

from torch import Tensor

from pipeline import training
from pipeline.descent import Settings
from pipeline.features import Features
from pipeline.methods import Method
from pipeline.network import RelationNetwork
from pipeline.training import Trained


def pretrain(
    model: RelationNetwork, features: Features, labels: Tensor, settings: Settings, seed: int
) -> Trained:
    return training.pretrain({seed: model}, features, labels, settings)[seed]


def adapt(
    model: RelationNetwork,
    features: Features,
    method: Method,
    settings: Settings,
    seed: int,
    train: Sequence[int] | None = None,
) -> Trained:
    return training.adapt({seed: model}, features, method, settings, train)[seed]
