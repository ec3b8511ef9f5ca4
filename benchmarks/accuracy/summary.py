"""What the tables say of a cell: means over the seeds, the oracle, the paired test."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.spec import SUPERVISED
from benchmarks.accuracy.statistics import sign_flip_p
from pipeline.evaluation import LAST_EPOCHS

Runs = Mapping[str, Any]  # seed -> rows, epoch, predicted, warnings


@dataclass(frozen=True)
class Line:
    """A method on a task; accuracies in [0, 1]."""

    method: str
    mean: float
    deviation: float  # over the seeds; NaN for one seed
    last_epochs: float
    oracle: float
    difference: float | None  # to the baseline; None for the baseline itself
    p: float | None
    warnings: int
    published: float | None  # percent, as printed
    error: str = ""


def line(
    method: str, task: Mapping[str, Any], baseline: str, published: Mapping[str, float]
) -> Line:
    """Sums up one cell of a task's file."""
    runs: Runs = task["cells"][method]
    if "error" in runs:
        none = float("nan")
        return Line(method, none, none, none, none, None, None, 0, None, runs["error"])
    finals = [_final(run) for run in runs.values()]
    accuracies = [[row["accuracy"] for row in run["rows"]] for run in runs.values()]
    against = task["cells"][baseline]
    compared = method != baseline and "error" not in against
    differences = right(task, method) - right(task, baseline) if compared else None
    return Line(
        method,
        fmean(finals),
        stdev(finals) if len(finals) > 1 else math.nan,
        fmean(fmean(run[1:][-LAST_EPOCHS:] or run) for run in accuracies),
        fmean(max(run) for run in accuracies),
        None if differences is None else float(differences.mean()),
        None if differences is None else sign_flip_p(differences),
        sum(len(run["warnings"]) for run in runs.values()),
        None if method == SUPERVISED else published.get(method),
    )


def right(task: Mapping[str, Any], method: str) -> NDArray[np.float64]:
    """(n,) of each test video, the share of seeds that predict it right."""
    labels = np.array(task["labels"])
    said = np.array([run["predicted"] for run in task["cells"][method].values()])
    return (said == labels).mean(axis=0)


def _final(run: Mapping[str, Any]) -> float:
    return float(run["rows"][run["epoch"]]["accuracy"])
