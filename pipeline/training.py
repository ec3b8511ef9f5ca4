"""Training: with labels (`pretrain`), or adapting without them (`adapt`); and prediction.

A run depends on its arguments alone: the global random numbers neither steer it nor are changed by
it, and on one machine one seed gives the same bits.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.adaptation_log import AdaptationLog, Row
from pipeline.descent import Descent, Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.methods.method import Memory, Method
from pipeline.network import Output, RelationNetwork

OnEpoch = Callable[[int, RelationNetwork], None]


@dataclass(frozen=True)
class Trained:
    """What a run leaves."""

    model: RelationNetwork
    """In eval mode, on the device of the model that the run began with."""
    rows: tuple[Row, ...]
    """The log, a row an epoch: `epoch`, then named numbers."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in order of epoch."""


def pretrain(
    model: RelationNetwork,
    features: Features,
    labels: Tensor,
    settings: Settings,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Trains a copy of `model` on labelled videos: cross-entropy (MTRAN, eq. 12; a batch mean).

    On the source's training videos this makes the source model; on the target's, the supervised
    upper bound. A row holds `epoch`, from 1, and `cross_entropy`, mean over the steps.

    Args:
        model: where to begin; it stays as it is, and its device is the run's.
        features: n videos, at least 2.
        labels: (n,), integers in [0, c).
        settings: of the optimiser.
        seed: of shuffling and dropout.
        on_epoch: called after each row with its epoch and the model in eval mode.

    Raises:
        UserError: features or labels that do not fit, or training that ran away.
    """
    _require_fit(model, features)
    _require_labels(labels, len(features), model.classes)
    run = Descent(copy.deepcopy(model).requires_grad_(True), settings, seed)
    features, labels = features.to(run.device), labels.to(run.device)

    def objective(batch: Tensor) -> dict[str, Tensor]:
        logits = run.model(features.rgb[batch], features.flow[batch]).logits
        smoothing = settings.label_smoothing
        return {"cross_entropy": F.cross_entropy(logits, labels[batch], label_smoothing=smoothing)}

    rows: list[Row] = []
    for epoch in range(1, settings.epochs + 1):
        batches = shuffled_batches(len(features), settings.batch_size, run.generator)
        losses = run.descend(epoch, (batch.to(run.device) for batch in batches), objective)
        rows.append({"epoch": epoch} | losses)
        if on_epoch:
            on_epoch(epoch, run.model)
    return Trained(run.model, tuple(rows))


def adapt(
    model: RelationNetwork,
    features: Features,
    method: Method,
    settings: Settings,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Adapts a copy of `model` to unlabelled videos; its classifier stays as it is, bit by bit.

    Row 0 is the model before the first step and has no losses and no changes; the others hold each
    loss of the method, mean over the steps, and what `AdaptationLog.add` says. What the method
    remembers is renewed every epoch, in eval mode. A method that takes no step leaves row 0 alone.

    Args:
        model: the source model; it stays as it is, and its device is the run's.
        features: n target videos, at least 2.
        method: one of `METHODS`, with its weights.
        settings: of the optimiser; `label_smoothing` has no part here.
        seed: of batches, mixing and dropout.
        on_epoch: called after each row with its epoch and the model in eval mode.

    Raises:
        UserError: features that do not fit, or training that ran away.
    """
    _require_fit(model, features)
    adapted = copy.deepcopy(model).requires_grad_(True)
    adapted.classifier.requires_grad_(False)
    run = Descent(adapted, settings, seed)
    features = features.to(run.device)
    log = AdaptationLog(f"lower lr (now {settings.lr:g}) or the weight lambda1")

    def survey(epoch: int, losses: Row) -> Memory:
        predictions = predict(run.model, features)
        memory = method.remember(predictions)
        log.add(epoch, losses, predictions, memory)
        if on_epoch:
            on_epoch(epoch, run.model)
        return memory

    memory = survey(0, {})
    for epoch in range(1, settings.epochs + 1):
        batches = method.batches(memory, settings.batch_size, run.generator)
        objective = partial(method.losses, run.model, features, memory=memory)
        losses = run.descend(epoch, batches, objective)
        if not losses:
            break
        memory = survey(epoch, losses)
    return Trained(run.model, tuple(log.rows), tuple(log.warnings))


@torch.no_grad()
def predict(model: RelationNetwork, features: Features, batch_size: int = 1024) -> Output:
    """What the model says of all n videos, in eval mode, on the model's device; no gradients.

    Raises:
        UserError: features of another width than the model's.
    """
    _require_width(model, features)
    device, was_training = _device(model), model.training
    model.eval()
    clips = zip(features.rgb.split(batch_size), features.flow.split(batch_size), strict=True)
    parts = [model(rgb.to(device), flow.to(device)) for rgb, flow in clips]
    model.train(was_training)
    return Output(*(torch.cat(values) for values in zip(*parts, strict=True)))


def shuffled_batches(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions 0 to count - 1 in random order, `batch_size` at a time; a last single one is left.

    Args: generator, on the CPU.
    Returns: positions (at most batch_size,), on the CPU.
    """
    for batch in torch.randperm(count, generator=generator).split(batch_size):
        if len(batch) > 1:
            yield batch


def _device(model: RelationNetwork) -> torch.device:
    return model.classifier.weight.device


def _require_width(model: RelationNetwork, features: Features) -> None:
    if features.dim != model.dim:
        raise UserError(
            f"features are {features.dim} wide, the model expects {model.dim}; extract them with "
            "the backbone that the source model was trained on, or train a new source model"
        )


def _require_fit(model: RelationNetwork, features: Features) -> None:
    _require_width(model, features)
    if len(features) < 2:
        raise UserError(f"training needs at least 2 videos; found {len(features)}")


def _require_labels(labels: Tensor, count: int, classes: int) -> None:
    if labels.is_floating_point() or labels.shape != (count,):
        raise UserError(
            f"labels must be {count} integers, one a video; "
            f"found {tuple(labels.shape)} of {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"labels must lie in [0, {classes}), the model's classes; "
            f"found {labels.min().item()} to {labels.max().item()}"
        )
