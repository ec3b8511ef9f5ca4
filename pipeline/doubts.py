"""Which test videos of an adaptation are worth a look: confident mistakes, unsure predictions."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

LISTED = 10  # videos in a list

Row = Mapping[str, str]  # of results/predictions.csv, all cells text
Rows = Sequence[Row]


class Doubt(NamedTuple):
    """A test video worth a look: what the adapted models of the seeds say of it."""

    key: str
    label: str
    said: str  # the classes, the surest first
    confidence: float  # mean over the seeds, in [0, 1]
    seeds: int  # how many of them say so
    before: str  # what the source models say, the surest first


def mistakes(test: Rows, classes: Collection[str], most: int = LISTED) -> list[Doubt]:
    """Labelled test videos that the adapted models get wrong, the most confident ones first.

    A seed that is right counts as confidence 0 in the mean over the seeds.

    Args: predictions of the test videos, a row a seed and video; the task's classes.
    """
    wrong = _doubts(test, lambda r: r["label"] in classes and r["adapted"] != r["label"])
    return sorted(wrong, key=lambda doubt: (-doubt.confidence, doubt.key))[:most]


def unsure(test: Rows, most: int = LISTED) -> list[Doubt]:
    """Test videos of the lowest confidence, mean over the seeds, the lowest first."""
    doubts = _doubts(test, lambda r: True)
    return sorted(doubts, key=lambda doubt: (doubt.confidence, doubt.key))[:most]


def _doubts(test: Rows, counts: Callable[[Row], bool]) -> list[Doubt]:
    """A doubt each test video that has a row that counts, made from those rows."""
    videos: dict[str, list[Row]] = defaultdict(list)
    for row in test:
        videos[row["key"]].append(row)
    return [
        Doubt(
            key=key,
            label=rows[0]["label"],
            said=_said(own, "adapted"),
            confidence=sum(float(row["adapted_confidence"]) for row in own) / len(rows),
            seeds=len(own),
            before=_said(rows, "source_only"),
        )
        for key, rows in videos.items()
        if (own := [row for row in rows if counts(row)])
    ]


def _said(rows: Rows, model: str) -> str:
    """The classes that a model predicts in these rows, most confidence first."""
    weight: dict[str, float] = defaultdict(float)
    for row in rows:
        weight[row[model]] += float(row[f"{model}_confidence"])
    return ", ".join(sorted(weight, key=lambda name: -weight[name]))
