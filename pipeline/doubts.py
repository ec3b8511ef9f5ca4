"""Which test videos of an adaptation are worth a look: mistakes, unsure and changed predictions."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

LISTED = 10  # videos in a list
CLOSE = 6  # videos that are looked at closely

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


class Change(NamedTuple):
    """A test video of which the adapted models say something else than the source models."""

    key: str
    label: str
    before: str  # the classes, the surest first
    after: str
    seeds: int  # how many of them changed their mind
    mended: int  # in how many it is right now, and was wrong
    broken: int  # in how many it is wrong now, and was right


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


def changed(test: Rows, most: int = LISTED) -> list[Change]:
    """Test videos whose class changed, first those where both models were surest.

    A seed that did not change its mind counts 0 in the mean over the seeds.
    """
    videos = _by_key(test)
    moved = {
        key: own
        for key, rows in videos.items()
        if (own := [row for row in rows if row["source_only"] != row["adapted"]])
    }
    sureness = {key: sum(map(_sureness, own)) / len(videos[key]) for key, own in moved.items()}
    order = sorted(moved, key=lambda key: (-sureness[key], key))[:most]
    return [_change(key, moved[key]) for key in order]


def close_ups(test: Rows, classes: Collection[str]) -> list[str]:
    """Keys of a few videos to look at closely: the most changed, then mistakes or unsure ones."""
    moved = [change.key for change in changed(test, CLOSE)]
    others = [doubt.key for doubt in mistakes(test, classes) or unsure(test)]
    return list(dict.fromkeys(moved + others))[:CLOSE]


def _change(key: str, rows: Rows) -> Change:
    old, new = (
        [row[model] == row["label"] for row in rows] for model in ("source_only", "adapted")
    )
    before, after = _said(rows, "source_only"), _said(rows, "adapted")
    return Change(key, rows[0]["label"], before, after, len(rows), sum(new), sum(old))


def _sureness(row: Row) -> float:
    return (float(row["source_only_confidence"]) + float(row["adapted_confidence"])) / 2


def _by_key(test: Rows) -> dict[str, list[Row]]:
    videos: dict[str, list[Row]] = defaultdict(list)
    for row in test:
        videos[row["key"]].append(row)
    return videos


def _doubts(test: Rows, counts: Callable[[Row], bool]) -> list[Doubt]:
    """A doubt each test video that has a row that counts, made from those rows."""
    return [
        Doubt(
            key=key,
            label=rows[0]["label"],
            said=_said(own, "adapted"),
            confidence=sum(float(row["adapted_confidence"]) for row in own) / len(rows),
            seeds=len(own),
            before=_said(rows, "source_only"),
        )
        for key, rows in _by_key(test).items()
        if (own := [row for row in rows if counts(row)])
    ]


def _said(rows: Rows, model: str) -> str:
    """The classes that a model predicts in these rows, most confidence first."""
    weight: dict[str, float] = defaultdict(float)
    for row in rows:
        weight[row[model]] += float(row[f"{model}_confidence"])
    return ", ".join(sorted(weight, key=lambda name: -weight[name]))
