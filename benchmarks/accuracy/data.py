"""The features and labels of a task's two domains, as a cell of the benchmark needs them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.accuracy.spec import Task
from pipeline import index, paths, store
from pipeline.features import Features
from pipeline.fingerprint import file_hash, fingerprint
from pipeline.labelling import Labelled, of_classes, of_split, task_classes


@dataclass(frozen=True)
class Data:
    """A task in memory; positions are those of videos among `target`."""

    classes: tuple[str, ...]
    source: Features
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
    return Data(
        classes,
        store.load(paths.features(task.source)).of(learnt.keys),
        learnt.numbers,
        store.load(paths.features(task.target)).of([video.key for video in videos]),
        [position[video.key] for video in training],
        of_classes(training, labels, classes),
        [position[key] for key in known.keys],
        known.numbers,
    )


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
    return fingerprint(files=hashes, classes=task.classes)


def accuracy(predicted: Tensor, data: Data) -> float:
    """Share of the test videos that are right: predicted classes (n,) of all target videos."""
    return (predicted[data.test].long() == data.test_labels).double().mean().item()


def rows_of(keys: tuple[str, ...], features: Features) -> list[int]:
    """Positions of keys among the features' videos."""
    position = {key: row for row, key in enumerate(features.keys)}
    return torch.tensor([position[key] for key in keys]).tolist()
