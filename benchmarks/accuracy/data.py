"""The features and labels of a task's two domains, as a cell of the benchmark needs them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.accuracy.spec import Task
from pipeline import index, paths, store
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.fingerprint import file_hash, fingerprint
from pipeline.labelling import Labelled, of_classes, of_split, task_classes


@dataclass(frozen=True)
class Data:
    """A task in memory; positions are those of videos among `target`."""

    classes: tuple[str, ...]
    source: Features  # its labelled training videos
    source_labels: Tensor
    target: Features
    train: list[int]  # positions of the target's training videos
    supervised: Labelled  # those of them that have a label of the task's classes
    test: list[int]  # positions of its labelled test videos
    test_labels: Tensor


def load(task: Task) -> Data:
    """Reads a task. Raises UserError where something is missing or does not fit."""
    ours, theirs = (index.read_classes(paths.classes(d)) for d in (task.source, task.target))
    classes = task_classes(task.classes, ours, theirs)
    videos = index.read_videos(paths.videos(task.target))
    labels = index.read_labels(paths.labels(task.target))
    known = of_classes(of_split(videos, "test"), labels, classes)
    position = {video.key: row for row, video in enumerate(videos)}
    learnt = of_classes(
        of_split(index.read_videos(paths.videos(task.source)), "train"),
        index.read_labels(paths.labels(task.source)),
        classes,
    )
    training = of_split(videos, "train")
    source = store.load(paths.features(task.source)).of(learnt.keys)
    target = store.load(paths.features(task.target)).of([video.key for video in videos])
    if task.components:
        source, target = in_components(source, target, task.components)
    return Data(
        classes,
        source,
        learnt.numbers,
        target,
        [position[video.key] for video in training],
        of_classes(training, labels, classes),
        [position[key] for key in known.keys],
        known.numbers,
    )


def in_components(source: Features, target: Features, count: int) -> tuple[Features, Features]:
    """Both domains by the first principal components of the source's clips, a modality each.

    A narrow network costs a fraction: of the width's square. The source's variance is 1 on average
    over the components; nothing is learnt of the target.

    Raises:
        UserError: fewer clips or a smaller width than components.
    """
    if count > min(source.dim, len(source) * source.clips):
        raise UserError(
            f"components: {count} of features that are {source.dim} wide, from "
            f"{len(source) * source.clips} clips; ask for fewer"
        )
    parts = [
        _projected(own, other, count)
        for own, other in ((source.rgb, target.rgb), (source.flow, target.flow))
    ]
    (rgb, target_rgb), (flow, target_flow) = parts
    return Features(source.keys, rgb, flow), Features(target.keys, target_rgb, target_flow)


def _projected(source: Tensor, target: Tensor, count: int) -> tuple[Tensor, Tensor]:
    clips = source.flatten(0, 1).double()
    middle = clips.mean(dim=0)
    _, _, directions = torch.linalg.svd(clips - middle, full_matrices=False)
    axes = directions[:count].T  # (d, count)
    scale = ((clips - middle) @ axes).std()
    first, second = ((part.double() - middle) @ axes / scale for part in (source, target))
    return first.float(), second.float()


def digest(task: Task) -> str:
    """A hash of all files that `load` reads, and of the classes asked for."""
    files = [
        path
        for domain in (task.source, task.target)
        for path in [
            paths.videos(domain),
            paths.labels(domain),
            paths.classes(domain),
            *sorted(paths.features(domain).glob("*.h5")),
        ]
    ]
    hashes = [file_hash(path) for path in files if path.exists()]
    return fingerprint(files=hashes, classes=task.classes, components=task.components)


def accuracy(predicted: Tensor, data: Data) -> float:
    """Share of the test videos that are right: predicted classes (n,) of all target videos."""
    return (predicted[data.test].long() == data.test_labels).double().mean().item()


def measured(logits: Tensor, data: Data) -> dict[str, Any]:
    """A run of which the last epoch alone is known: logits (n, c) of all target videos."""
    predicted = logits.argmax(dim=1).cpu()
    return {
        "rows": [{"epoch": 0, "accuracy": accuracy(predicted, data)}],
        "epoch": 0,
        "predicted": predicted[data.test].tolist(),
        "warnings": [],
    }


def rows_of(keys: tuple[str, ...], features: Features) -> list[int]:
    """Positions of keys among the features' videos."""
    position = {key: row for row, key in enumerate(features.keys)}
    return torch.tensor([position[key] for key in keys]).tolist()
