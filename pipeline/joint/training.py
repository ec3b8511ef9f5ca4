"""Joint training: networks on a labelled source and an unlabelled target at once.

Several seeds train at once; a run depends on its arguments alone, as in `pipeline.training`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pipeline.adaptation_log import Row
from pipeline.descent import Descent, Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.joint.batches import JointBatch, joint_batches
from pipeline.joint.late_fusion import with_statistics
from pipeline.joint.method import JointData, JointMethod, Said
from pipeline.joint.shape import JointNetwork
from pipeline.prediction import predict_runs
from pipeline.runs import Tensors, pick, stack
from pipeline.training import require_labels, with_weights


@dataclass(frozen=True)
class Trained:
    """What a run leaves."""

    model: JointNetwork
    """On the device of the network that the run began with."""
    rows: tuple[Row, ...]
    """The log, a row an epoch, from 1: `epoch`, then each loss term, mean over the steps."""


def fit(
    networks: Mapping[int, JointNetwork],
    data: JointData,
    method: JointMethod,
    settings: Settings,
) -> dict[int, Trained]:
    """Trains copies of `networks` on both domains.

    Args:
        networks: seed of batches, windows and dropout -> where to begin, a network of the method's;
            it stays as it is, and its device is the run's.
        data: the source's training videos with labels, the target's without, at least 2 of each.
        method: one of `JOINT_METHODS`, with its weights.
        settings: of the optimiser; `batch_size` is of both domains together.

    Raises:
        UserError: data or networks that do not fit, or training that ran away.
    """
    first = next(iter(networks.values()))
    _require_fit(first, data, method)
    run = _started(networks, data, method, method.settings(settings))
    data = JointData(
        data.source.to(run.device), data.labels.to(run.device), data.target.to(run.device)
    )
    rows: dict[int, list[Row]] = {seed: [] for seed in networks}
    for epoch in range(1, settings.epochs + 1):
        losses = run.descend(
            epoch,
            list(zip(*_drawn(run, data, settings.batch_size), strict=True)),
            lambda model, batch, _: method.losses(model, data, batch),
            {},
            method.after_step if run.state else None,
        )
        for seed, means in zip(networks, losses, strict=True):
            rows[seed].append({"epoch": epoch} | means)
    weights = _finished(run, data, method)
    return {
        seed: Trained(with_weights(network, pick(weights, number)), tuple(rows[seed]))
        for number, (seed, network) in enumerate(networks.items())
    }


@torch.no_grad()
def predict(network: JointNetwork, features: Features) -> Said:
    """What the network says of all n videos, on the network's device.

    Raises:
        UserError: features of another width, or as many clips as the network does not read.
    """
    network.require(features)
    weights = {name: weight.detach()[None] for name, weight in network.state_dict().items()}
    device = next(iter(weights.values())).device
    return pick(predict_runs(network, weights, features.to(device)), 0)


def _started(
    networks: Mapping[int, JointNetwork],
    data: JointData,
    method: JointMethod,
    settings: Settings,
) -> Descent:
    """The runs before their first step, with what the method trains and remembers beside them."""
    statistics = tuple(
        f"{name}_norm.{part}" for name in ("rgb", "flow") for part in ("mean", "variance")
    )
    run = Descent(list(networks.values()), settings, list(networks), (*method.frozen, *statistics))
    extras = [method.extras(network, seed) for seed, network in networks.items()]
    for name, (_, adam_lr) in extras[0].items():
        run.add(name, [own[name].module for own in extras], adam_lr)
    states = [
        method.begin(predict(network, data.source), predict(network, data.target))
        for network in networks.values()
    ]
    run.state = stack(states)
    return run


def _drawn(run: Descent, data: JointData, batch_size: int) -> list[list[JointBatch]]:
    """The batches of an epoch, of each run."""
    sizes = len(data.source), len(data.target)
    return [
        [
            JointBatch(*(positions.to(run.device) for positions in batch))
            for batch in joint_batches(*sizes, batch_size, generator)
        ]
        for generator in run.generators
    ]


def _finished(run: Descent, data: JointData, method: JointMethod) -> Tensors:
    """The runs' last weights, with a domain's statistics where there is a batch normalisation."""
    weights = {name: weight.detach() for name, weight in run.weights.items()}
    if not getattr(run.network, "batch_norm", False):
        return weights
    features = data.target if method.statistics == "target" else data.source
    return with_statistics(weights, predict_runs(run.network, weights, features))


def _require_fit(network: JointNetwork, data: JointData, method: JointMethod) -> None:
    if method.batch_norm and not getattr(network, "batch_norm", False):
        raise UserError(
            f"{type(method).__name__} replaces the statistics of batch normalisation, and this "
            "network has none: it would report source-only under another name; make the network "
            "with batch_norm=True"
        )
    for name, features in (("source", data.source), ("target", data.target)):
        network.require(features)
        if len(features) < 2:
            raise UserError(f"training needs at least 2 {name} videos; found {len(features)}")
    require_labels(data.labels, len(data.source), network.classes)
