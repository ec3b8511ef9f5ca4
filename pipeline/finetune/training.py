"""Training of the two-stream network by the methods of `pipeline/joint` and `pipeline/methods`.

The objects that are asked for losses are those of stages `joint` and `adapt`; here the features
that they see come out of a backbone that learns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.finetune import processes, survey
from pipeline.finetune.domain_norm import know_source_alone
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Known, Run, Step, Videos
from pipeline.joint.batches import JointBatch, joint_batches
from pipeline.joint.method import Domain, JointData, JointMethod, Said
from pipeline.losses import entropies
from pipeline.methods.method import Memory
from pipeline.methods.unpaired import Unpaired
from pipeline.model import Model
from pipeline.training import require_labels, with_weights

AfterEpoch = Callable[[Run, Callable[[], TwoStream], dict[str, float]], None]
"""Is told the run, how to get what would be its result by now, and the row of the epoch."""


@dataclass(frozen=True)
class Both:
    """What joint training learns from: labelled videos, and the target's without labels."""

    source: Videos
    labels: Tensor
    """(n_s,), integers in [0, c)."""
    target: Videos

    def by_domain(self) -> dict[Domain, Videos]:
        """The videos of both."""
        return {"source": self.source, "target": self.target}


def train_jointly(run: Run, data: Both, method: JointMethod, after_epoch: AfterEpoch) -> TwoStream:
    """Trains the run to its last epoch on both domains; returns its network.

    The run goes on from the epoch that it is at. `after_epoch` may add to the epoch's row.

    Raises UserError: data that do not fit, or training that ran away.
    """
    _require(data.source, data.target)
    require_labels(data.labels, len(data.source.keys), run.network.classes)
    labels = data.labels.to(run.device)
    if run.epoch == 0 and type(method).begin is not JointMethod.begin:
        run.state = method.begin(*_first_words(run, data))

    def objective(model: Model, batch: JointBatch, seen: Known) -> dict[str, Tensor]:
        return method.losses(model, JointData(seen["source"], labels, seen["target"]), batch)

    while run.epoch < run.settings.epochs:
        steps = [_joint_step(batch, method, run.device) for batch in _batches(run, data)]
        means = run.descend(steps, objective, method.after_step if run.state else None)
        row = {"epoch": run.epoch} | means
        after_epoch(run, lambda: _result(run, data.target, method), row)
    return _result(run, data.target, method)


def adapt(run: Run, target: Videos, method: Unpaired, after_epoch: AfterEpoch) -> TwoStream:
    """Adapts the run's network, a source model, to the target; returns what the method reports.

    Of the source nothing is seen. A row also holds, from before the epoch, the `mean_entropy` of
    the predictions, and the share of the training videos that are learnt from, `kept`.

    Raises UserError: data that do not fit, or training that ran away.
    """
    _require(target)
    if run.epoch == 0:
        _know_target(run, target)
        found, words = _words(run.network, target, run.settings.workers)
        start = {name: value.clone() for name, value in run.network.state_dict().items()}
        run.state = method.begin(words, found, start)
    while run.epoch < run.settings.epochs:
        _, words = _words(_reported(run, method), target, run.settings.workers)
        memory = method.remember(words, run.state)
        steps = _adaptation_steps(run, memory, method)
        means = run.descend(steps, _of_memory(method, memory), method.after_step)
        row: dict[str, float] = {"epoch": run.epoch} | means
        row["mean_entropy"] = entropies(words.logits).mean().item()
        row["kept"] = memory.notes["kept"].float().mean().item()
        after_epoch(run, lambda: _reported(run, method), row)
    return _reported(run, method)


def normalised_as(method: JointMethod) -> Domain:
    """Whose statistics normalise the target's test clips: its own, if any training clip was its."""
    adapted = method.batch_norm and method.statistics == "target"
    return "target" if method.sees_target or adapted else "source"


def _know_target(run: Run, target: Videos) -> None:
    """Gives a source model the target's statistics, if its training clips are normalised by theirs.

    Running averages that began with the source's would lag behind the clips' own for an epoch or
    more, and pseudo-labels come of a mixture that no weights were trained for.
    """
    know_source_alone(run.network)
    if run.settings.statistics == "own":
        survey.learn_statistics(run.network, target, run.settings.batch_size, run.settings.workers)


def _of_memory(method: Unpaired, memory: Memory) -> Callable[..., dict[str, Tensor]]:
    return lambda model, batch, seen: method.losses(model, seen["target"], batch, memory)


def _batches(run: Run, data: Both) -> list[JointBatch]:
    sizes = len(data.source.keys), len(data.target.keys)
    drawn = joint_batches(*sizes, run.settings.batch_size, run.generator)
    return [JointBatch(*map(processes.divisible, batch)) for batch in drawn]


def _joint_step(batch: JointBatch, method: JointMethod, device: torch.device) -> Step:
    """A step's batch; positions for the reader stay on the CPU."""
    videos: dict[Domain, Tensor] = {"source": batch.source}
    if method.sees_target:
        videos["target"] = batch.target
    return Step(JointBatch(*(part.to(device) for part in batch)), videos)


def _adaptation_steps(run: Run, memory: Memory, method: Unpaired) -> list[Step]:
    drawn = method.batches(memory, run.settings.batch_size, run.generator)
    few = [batch._replace(high=processes.divisible(batch.high)) for batch in drawn]
    return [Step(batch, {"target": batch.videos.cpu()}) for batch in few if len(batch.high) > 1]


def _first_words(run: Run, data: Both) -> list[Said]:
    """What the untrained network says of the training videos, source and target."""
    workers = run.settings.workers
    return [
        _words(run.network, videos, workers, domain)[1]
        for domain, videos in data.by_domain().items()
    ]


def _words(
    network: TwoStream, videos: Videos, workers: int, domain: Domain = "target"
) -> tuple[Features, Said]:
    """What the network makes and says of each video's middle window."""
    found = survey.features(network, videos, domain, windows=1, workers=workers)
    return found, survey.said(network, found)


def _result(run: Run, target: Videos, method: JointMethod) -> TwoStream:
    """The network, or for AdaBN a copy with the target's statistics."""
    if method.sees_target or normalised_as(method) == "source":
        return run.network
    network = with_weights(run.network, run.network.state_dict())
    survey.learn_statistics(network, target, run.settings.batch_size // 2, run.settings.workers)
    return network


def _reported(run: Run, method: Unpaired) -> TwoStream:
    state: Mapping[str, Any] = run.state
    return with_weights(run.network, method.reported(run.network.state_dict(), state))


def _require(*domains: Videos) -> None:
    for videos in domains:
        if len(videos.keys) < 2:
            raise UserError(f"training needs at least 2 videos; found {len(videos.keys)}")
