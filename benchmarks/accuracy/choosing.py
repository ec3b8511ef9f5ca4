"""How well label-free scores choose: an epoch within a run, and a method among many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.accuracy.spec import SUPERVISED
from benchmarks.accuracy.statistics import rank_correlation
from pipeline.selection import SCORES, Score, best_epoch, goodness


@dataclass(frozen=True)
class Choice:
    """A score on a task; differences of accuracy, in [-1, 1]."""

    score: str
    below_oracle: float  # what the epochs that it chooses lose against the best ones; mean
    above_last: float  # what they gain on the last epochs
    ranks: float  # Spearman's correlation with accuracy over the methods, at the last epoch
    pick: str  # the method that it puts first
    pick_below_best: float  # what this method's accuracy is below the best method's


def choices(task: Mapping[str, Any]) -> list[Choice]:
    """Every score on a task, from all adapted runs; "last" is the rule that looks at nothing."""
    runs = {
        name: [run["rows"] for run in cell.values()]
        for name, cell in task["cells"].items()
        if name != SUPERVISED and "error" not in cell
    }
    trained = [rows for group in runs.values() for rows in group if len(rows) > 1]
    if not trained:
        return []
    oracle = fmean(max(row["accuracy"] for row in rows) for rows in trained)
    last = fmean(rows[-1]["accuracy"] for rows in trained)
    first = Choice("last", oracle - last, 0.0, float("nan"), "", float("nan"))
    return [first, *(_choice(score, runs, trained, oracle, last) for score in SCORES)]


def _choice(
    score: Score,
    runs: Mapping[str, Sequence[Sequence[Mapping[str, float]]]],
    trained: Sequence[Sequence[Mapping[str, float]]],
    oracle: float,
    last: float,
) -> Choice:
    chosen = fmean(rows[best_epoch(rows, score)]["accuracy"] for rows in trained)
    looks = {
        name: fmean(goodness(score, rows[-1][score]) for rows in group)
        for name, group in runs.items()
    }
    accuracies = {
        name: fmean(rows[-1]["accuracy"] for rows in group) for name, group in runs.items()
    }
    pick = max(looks, key=lambda name: looks[name])
    return Choice(
        score,
        oracle - chosen,
        chosen - last,
        rank_correlation(np.array([*looks.values()]), np.array([*accuracies.values()])),
        pick,
        max(accuracies.values()) - accuracies[pick],
    )
