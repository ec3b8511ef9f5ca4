"""Which classes a task has, and which videos carry a label of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.index import Video


def task_classes(
    wanted: Sequence[str] | None, source: Sequence[str], target: Sequence[str]
) -> tuple[str, ...]:
    """The classes of a task, sorted: those wanted, else those that both domains have.

    A target without labels leaves all of the source's.

    Raises UserError: fewer than 2, or one that the source lacks.
    """
    chosen = sorted(set(wanted or set(source) & set(target or source)))
    absent = sorted(set(chosen) - set(source))
    if absent:
        raise UserError(
            f"task.classes: the source has no class {', '.join(absent)}; "
            f"it has {', '.join(sorted(source))}"
        )
    if len(chosen) < 2:
        raise UserError(
            f"task: source and target share {len(chosen)} classes, at least 2 are needed; "
            f"source: {', '.join(source) or 'none'}; target: {', '.join(target) or 'none'}"
        )
    return tuple(chosen)


def require_classes_of_model(
    known: Sequence[str], wanted: Sequence[str] | None, target: Sequence[str]
) -> None:
    """Whether a model that was received, of classes `known`, fits the task.

    Raises UserError: `task.classes` names others, or the target's labels share fewer than 2.
    """
    if wanted is not None and set(wanted) != set(known):
        raise UserError(
            f"task.classes: {', '.join(sorted(wanted))}; the received model tells apart "
            f"{', '.join(known)}, which is fixed; set task.classes to null"
        )
    if target and len(set(known) & set(target)) < 2:
        raise UserError(
            f"the received model tells apart {', '.join(known)}; the target's labels are "
            f"{', '.join(target)}: they share fewer than 2; give the target's classes the model's "
            "names, or leave its labels out"
        )


@dataclass(frozen=True)
class Labelled:
    """Some videos and their classes: keys, and numbers (n,) int64 in [0, c)."""

    keys: tuple[str, ...]
    numbers: Tensor


def of_classes(
    videos: Sequence[Video], labels: Mapping[str, str], classes: Sequence[str]
) -> Labelled:
    """The videos whose label is one of `classes`, in order."""
    number = {name: position for position, name in enumerate(classes)}
    keys = tuple(video.key for video in videos if labels.get(video.key) in number)
    return Labelled(keys, torch.tensor([number[labels[key]] for key in keys], dtype=torch.long))


def require_every_class(train: Labelled, classes: Sequence[str], source: str) -> None:
    """Raises UserError for a class that no training video of the source has."""
    missing = sorted(set(range(len(classes))) - set(train.numbers.tolist()))
    if missing:
        raise UserError(
            f"{source}: no training video of {', '.join(classes[number] for number in missing)}, "
            "so nothing could learn it; give the domain a split that has some, or leave the class "
            "out with task.classes"
        )


def of_split(videos: Sequence[Video], split: str) -> list[Video]:
    """The videos of one split, in order. Raises UserError if it has none."""
    chosen = [video for video in videos if video.split == split]
    if not chosen:
        raise UserError(f"the index lists no {split} video; a task needs both splits")
    return chosen
