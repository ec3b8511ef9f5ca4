"""The orders of methods that the papers claim, held against the cells of a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.accuracy.statistics import sign_flip_p
from benchmarks.accuracy.summary import right

SURE = 0.05  # p-value below which a difference is more than luck
Kind = Literal["cells", "joint"]
CLAIMS: tuple[tuple[Kind, str, str], ...] = (  # kind, better, worse
    ("cells", "shot", "source_only"),
    ("cells", "mtran", "source_only"),
    ("cells", "mtran", "shot"),
    ("cells", "mtran", "mt_absolute"),
    ("cells", "mtran", "m_mmd"),
    ("cells", "mtran", "mt_mix"),
    ("joint", "cross_modal_contrastive", "source_only_late"),
    ("joint", "cross_modal_contrastive", "contrastive_modality_only"),
    ("joint", "cross_modal_contrastive", "contrastive_domain_only"),
    ("joint", "cross_modal_contrastive", "contrastive_same_windows"),
)


@dataclass(frozen=True)
class Verdict:
    """What a task says of a claim; `difference` of accuracies in [-1, 1], better less worse."""

    claim: str
    difference: float
    p: float
    verdict: str


def verdicts(task: Mapping[str, Any]) -> list[Verdict]:
    """The claims whose two methods the task has."""
    return [
        _verdict({**task, "cells": task[kind]}, better, worse)
        for kind, better, worse in CLAIMS
        if all("error" not in task[kind].get(name, {"error": ""}) for name in (better, worse))
    ]


def _verdict(task: Mapping[str, Any], better: str, worse: str) -> Verdict:
    differences = right(task, better) - right(task, worse)
    mean, p = float(differences.mean()), sign_flip_p(differences)
    words = "not told apart"
    if p < SURE:
        words = "confirmed" if mean > 0 else "refuted"
    return Verdict(f"{better} > {worse}", mean, p, words)
