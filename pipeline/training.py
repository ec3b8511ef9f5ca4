"""Training: with labels (`pretrain`), or adapting without them (`adapt`).

Several seeds train at once. A run depends on its arguments alone: the global random numbers neither
steer it nor are changed by it; on one machine the same runs give the same bits, and a run beside
others what it gives alone, but for rounding.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline import selection
from pipeline.adaptation_log import AdaptationLog, Row
from pipeline.descent import Descent, Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.methods.method import Memory, Method
from pipeline.model import Model
from pipeline.network import RelationNetwork
from pipeline.prediction import predict, predict_runs, require_width, weights_of
from pipeline.runs import Tensors, pick, stack
from pipeline.selection import Select

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


@dataclass(frozen=True)
class Trained:
    """What a run leaves."""

    model: RelationNetwork
    """On the device of the model that the run began with."""
    rows: tuple[Row, ...]
    """The log, a row an epoch: `epoch`, then named numbers."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, in order of epoch."""
    predicted: Tensor = field(default_factory=lambda: torch.empty(0, 0, dtype=torch.int16))
    """Of `adapt`: (epochs + 1, n) int16, each video's class by the model of each row of the log."""
    epoch: int = -1
    """Of `adapt`: the epoch whose model this is."""


def pretrain(
    models: Mapping[int, RelationNetwork], features: Features, labels: Tensor, settings: Settings
) -> dict[int, Trained]:
    """Trains copies of `models` on labelled videos: cross-entropy (MTRAN, eq. 12; a batch mean).

    On the source's training videos this makes the source model; on the target's, the supervised
    upper bound. A row holds `epoch`, from 1, and `cross_entropy`, mean over the steps.

    Args:
        models: seed of shuffling and dropout -> where to begin; it stays as it is, and its device
            is the run's.
        features: n videos, at least 2.
        labels: (n,), integers in [0, c).
        settings: of the optimiser.

    Raises:
        UserError: features or labels that do not fit, or training that ran away.
    """
    first = next(iter(models.values()))
    _require_fit(first, features)
    require_labels(labels, len(features), first.classes)
    run = Descent(list(models.values()), settings, list(models))
    features, labels = features.to(run.device), labels.to(run.device)

    def objective(model: Model, batch: Tensor, memory: Any) -> dict[str, Tensor]:
        logits = model(features.rgb[batch], features.flow[batch]).logits
        smoothing = settings.label_smoothing
        return {"cross_entropy": F.cross_entropy(logits, labels[batch], label_smoothing=smoothing)}

    rows: dict[int, list[Row]] = {seed: [] for seed in models}
    for epoch in range(1, settings.epochs + 1):
        drawn = [
            [batch.to(run.device) for batch in shuffled_batches(len(features), settings, generator)]
            for generator in run.generators
        ]
        losses = run.descend(epoch, list(zip(*drawn, strict=True)), objective, {})
        for seed, means in zip(models, losses, strict=True):
            rows[seed].append({"epoch": epoch} | means)
    return {
        seed: Trained(knowing(model, pick(run.weights, number), features), tuple(rows[seed]))
        for number, (seed, model) in enumerate(models.items())
    }


def knowing(model: RelationNetwork, weights: Tensors, features: Features) -> RelationNetwork:
    """A copy of the model with other weights, and the statistics of what it was trained on."""
    trained = with_weights(model, weights)
    trained.inputs.know(features)
    return trained


def matched(
    models: Mapping[int, RelationNetwork], features: Features, train: Sequence[int]
) -> dict[int, RelationNetwork]:
    """Copies of `models` that take in clips like those of the videos at the positions `train`."""
    ready = {seed: copy.deepcopy(model) for seed, model in models.items()}
    for model in ready.values():
        require_width(model, features)
        model.inputs.match(features.select(train))
    return ready


def adapt(
    models: Mapping[int, RelationNetwork],
    features: Features,
    method: Method,
    settings: Settings,
    train: Sequence[int] | None = None,
    select: Select = "last",
) -> dict[int, Trained]:
    """Adapts copies of `models` to unlabelled videos.

    Row 0 is the model before the first step and has no losses and no changes; the others hold each
    loss of the method, mean over the steps, and what `AdaptationLog.add` says; every fifth and the
    last have the probes of `pipeline.selection` too. What the method remembers is renewed every
    epoch. A method that takes no step leaves row 0 alone.

    Args:
        models: seed of batches, mixing and dropout -> source model; it stays as it is, and its
            device is the run's.
        features: n target videos.
        method: one of `METHODS`, with its weights; it says which weights stay as they are.
        settings: of the optimiser; `label_smoothing` has no part here.
        train: positions of the videos that are learnt from, at least 2; None: all. The others are
            only predicted.
        select: which epoch's model is the result: the last, or the best by a label-free score of
            the training videos.

    Raises:
        UserError: features that do not fit, or training that ran away.
    """
    first = next(iter(models.values()))
    rows = torch.as_tensor(range(len(features)) if train is None else train)
    learnt = features.select(rows)
    _require_fit(first, learnt)
    adaptation = _Adaptation(models, features, learnt, rows, method, method.settings(settings))
    return adaptation.run(select)


class _Adaptation:
    """The state of `adapt`: the descent, and of each run its log, predictions and memory."""

    def __init__(
        self,
        models: Mapping[int, RelationNetwork],
        features: Features,
        learnt: Features,
        rows: Tensor,
        method: Method,
        settings: Settings,
    ):
        self.models, self.method, self.settings = models, method, settings
        self.descent = Descent(list(models.values()), settings, list(models), method.frozen)
        self.features = features.to(self.descent.device)
        self.learnt = learnt.to(self.descent.device)
        self.rows = rows.to(self.descent.device)
        self.probes = [selection.mixtures(self.learnt), *selection.halves(self.learnt)]
        self.chosen: list[tuple[int, Tensors]] = [(0, {}) for _ in models]
        remedy = f"lower lr (now {settings.lr:g}) or the weight lambda1"
        self.logs = [AdaptationLog(remedy) for _ in models]
        self.predicted: list[list[Tensor]] = [[] for _ in models]
        self._begin()

    def _begin(self) -> None:
        """Makes what the method trains beside the network, and its first state."""
        networks = list(self.models.values())
        extras = [
            self.method.extras(network, self.learnt.clips, seed)
            for seed, network in self.models.items()
        ]
        for name, (_, adam_lr) in extras[0].items():
            self.descent.add(name, [own[name].module for own in extras], adam_lr)
        states = [
            self.method.begin(predict(network, self.learnt), self.learnt, dict(weights))
            for network, weights in zip(networks, map(weights_of, networks), strict=True)
        ]
        self.descent.state = stack(states)

    def run(self, select: Select) -> dict[int, Trained]:
        """Trains all runs to their end."""
        method, descent = self.method, self.descent
        memories = self._survey(0, [{} for _ in self.models])
        self._choose(0, select)
        for epoch in range(1, self.settings.epochs + 1):
            batches = [
                list(method.batches(memory, self.settings.batch_size, generator))
                for memory, generator in zip(memories, descent.generators, strict=True)
            ]
            if not batches[0]:
                break
            losses = descent.descend(
                epoch,
                list(zip(*batches, strict=True)),
                lambda model, batch, memory: method.losses(model, self.learnt, batch, memory),
                stack(memories),
                method.after_step if descent.state else None,
            )
            memories = self._survey(epoch, losses)
            self._choose(epoch, select)
        return {seed: self._trained(run, seed) for run, seed in enumerate(self.models)}

    def _choose(self, epoch: int, select: Select) -> None:
        """Keeps the weights of runs whose newest epoch is the best so far."""
        for run, log in enumerate(self.logs):
            if select == "last" or selection.best_epoch(log.rows, select) == epoch:
                weights = pick(self._reported(), run)
                self.chosen[run] = epoch, {name: w.clone() for name, w in weights.items()}

    def _trained(self, run: int, seed: int) -> Trained:
        epoch, weights = self.chosen[run]
        return Trained(
            with_weights(self.models[seed], weights),
            tuple(self.logs[run].rows),
            tuple(self.logs[run].warnings),
            torch.stack(self.predicted[run]),
            epoch,
        )

    def _reported(self) -> Tensors:
        weights = {name: weight.detach() for name, weight in self.descent.weights.items()}
        return self.method.reported(weights, self.descent.state)

    def _survey(self, epoch: int, losses: Sequence[Row]) -> list[Memory]:
        """Predicts all videos, notes it, and lets the method remember what it makes of it."""
        network, weights = self.descent.network, self._reported()
        said = predict_runs(network, weights, self.features)
        probed = selection.is_probed(epoch, self.settings.epochs)
        probes = [predict_runs(network, weights, p).logits for p in self.probes if probed]
        memories = []
        for run, log in enumerate(self.logs):
            own = pick(said, run)
            predictions = own.part(self.rows)
            memory = self.method.remember(predictions, pick(self.descent.state, run))
            scores = _probe_scores(predictions.logits, *(logits[run] for logits in probes))
            log.add(epoch, losses[run], predictions, memory, scores)
            self.predicted[run].append(own.logits.argmax(dim=1).to("cpu", torch.int16))
            memories.append(memory)
        return memories


def _probe_scores(whole: Tensor, *probes: Tensor) -> Row:
    """Scores of an epoch's probes, mixtures and both halves; none if it has none."""
    if not probes:
        return {}
    mixed, even, odd = probes
    return {
        "clip_consistency": selection.clip_consistency(whole, even, odd),
        "mixup_consistency": selection.mixup_consistency(whole, mixed),
    }


def shuffled_batches(
    count: int, settings: Settings, generator: torch.Generator
) -> Iterator[Tensor]:
    """Positions 0 to count - 1 in random order, in as few batches as may be, all of about one size.

    A remainder of two or three videos would make a step of its own, as long as any and mostly
    noise: with momentum, some of them are enough to end at chance.

    Args: generator, on the CPU.
    Returns: positions (at least 2, at most settings.batch_size,), on the CPU.
    """
    batches = -(-count // settings.batch_size)
    for batch in torch.randperm(count, generator=generator).tensor_split(batches):
        if len(batch) > 1:
            yield batch


def with_weights(model: AnyNetwork, weights: Tensors) -> AnyNetwork:
    """A copy of the model with other weights."""
    trained = copy.deepcopy(model)
    trained.load_state_dict(weights)
    return trained


def _require_fit(model: RelationNetwork, features: Features) -> None:
    require_width(model, features)
    if len(features) < 2:
        raise UserError(f"training needs at least 2 videos; found {len(features)}")


def require_labels(labels: Tensor, count: int, classes: int) -> None:
    """Raises UserError unless labels are (count,) integers in [0, classes)."""
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
