"""What fine-tuned networks say of the target's labelled test videos, as numbers and as rows."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from torch import Tensor

from pipeline import metrics, tables
from pipeline.evaluation import Predictions


def numbers(
    logs: Mapping[int, Sequence[Mapping[str, float]]],
    said: Predictions,
    labels: Tensor,
    classes: Sequence[str],
) -> dict[str, Any]:
    """The accuracy by the papers' rule, the mean over a run's last evaluations; all else is of the
    last epoch.

    Args: logs, rows by seed, with `accuracy` where it was measured; labels (n,) of the videos.
    """
    seeds = {
        seed: fmean(row["accuracy"] for row in rows if "accuracy" in row)
        for seed, rows in logs.items()
    }
    found: dict[str, Any] = said.labelled(labels)
    found["accuracy"], deviation = metrics.mean_and_deviation(list(seeds.values()))
    found["accuracy_sd"] = deviation if len(seeds) > 1 else None
    right = round(found["accuracy"] * len(labels))
    found["accuracy_low"], found["accuracy_high"] = metrics.wilson_interval(right, len(labels))
    return {**found, "seeds": seeds, "per_class": said.per_class(labels, classes)}


def rows(
    said: Predictions, keys: Sequence[str], labels: Tensor, classes: Sequence[str]
) -> list[tables.Row]:
    """A row a seed and video: its class, the class that is predicted, and how surely."""
    made: list[tables.Row] = []
    for seed, logits in said.logits.items():
        surest = logits.softmax(dim=1).max(dim=1)
        for row, (key, label) in enumerate(zip(keys, labels.tolist(), strict=True)):
            cells: dict[str, tables.Cell] = {"seed": seed, "key": key, "actual": classes[label]}
            cells["predicted"] = classes[int(surest.indices[row])]
            cells["confidence"] = float(surest.values[row])
            made.append(tables.rounded(cells))
    return made
