"""What a model makes of the videos of both domains, as rows: what it finds, and one t-SNE plane."""

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline import embedding, tables
from pipeline.retrieval import Nearest


class Side(NamedTuple):
    """Some videos of a domain: n keys, their fused features (n, d), and by key those labels that
    are classes of the task.
    """

    keys: tuple[str, ...]
    fused: Tensor
    labels: Mapping[str, str]

    def drawn(self, most: int) -> "Side":
        """At most so many of the videos, evenly drawn."""
        step = -(-len(self.keys) // most)
        return Side(self.keys[::step], self.fused[::step], self.labels)


def same_class(target: Side, source: Side, what: Nearest) -> float | None:
    """Share of what was found for labelled videos that has their class; None without labels."""
    right = [
        target.labels[key] == source.labels.get(source.keys[position])
        for key, positions in zip(target.keys, what.positions.tolist(), strict=True)
        for position in positions
        if key in target.labels
    ]
    return fmean(right) if right else None


def found(model: str, target: Side, source: Side, what: Nearest) -> list[tables.Row]:
    """A row a video of the target and video of the source that was found for it."""
    rows: list[tables.Row] = []
    for row, key in enumerate(target.keys):
        pairs = zip(what.positions[row].tolist(), what.similarities[row].tolist(), strict=True)
        for rank, (position, similarity) in enumerate(pairs, start=1):
            theirs = source.keys[position]
            cells: dict[str, tables.Cell] = {"model": model, "key": key, "rank": rank}
            cells |= {"label": target.labels.get(key), "nearest": theirs}
            cells |= {"nearest_label": source.labels.get(theirs), "similarity": similarity}
            rows.append(tables.rounded(cells))
    return rows


def points(model: str, sides: Mapping[str, Side], most: int) -> list[tables.Row]:
    """t-SNE points of videos of all domains, at most so many of each; none for fewer than 4."""
    drawn = {domain: side.drawn(most) for domain, side in sides.items()}
    if sum(len(side.keys) for side in drawn.values()) < 4:
        return []
    plane = embedding.tsne(torch.cat([side.fused for side in drawn.values()])).tolist()
    shown = [(d, key, side.labels.get(key)) for d, side in drawn.items() for key in side.keys]
    return [
        tables.rounded({"model": model, "domain": d, "key": key, "label": label, "x": x, "y": y})
        for (d, key, label), (x, y) in zip(shown, plane, strict=True)
    ]
