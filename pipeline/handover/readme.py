"""What a person reads first in a folder that is handed over, written from the model's card."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline import metrics
from pipeline.checkpoints import Card

_SIGNS = re.compile(r"([\\`*{}\[\]#!|~]|(?<!\w)_|_(?!\w))")


def text(card: Card, seeds: Sequence[int]) -> str:
    """The page, in Markdown; names that the card holds stay text, whatever signs are in them."""
    pretrain = card.training["pretrain"]
    facts = {
        "classes, in the order of the outputs": ", ".join(card.classes),
        "right on the source's own test videos": accuracy(pretrain["test_accuracy"]),
        "models": f"{len(seeds)}, of the seeds {', '.join(map(str, seeds))}",
        "network": f"{card.layers} layers, d = {card.dim}, dropout {card.dropout}",
        **{f"features: {name}": value for name, value in leaves(card.features)},
        **{f"training: {name}": value for name, value in leaves(pretrain) if name != "source"},
        "vidshift": card.training["handover"]["vidshift"],
    }
    rows = [f"| {plain(name)} | {plain(value)} |" for name, value in facts.items()]
    return "\n".join(
        [
            f"# A video action classifier trained on {plain(pretrain['source'])}",
            "",
            "Made to be adapted to videos from elsewhere with vidshift, without the videos that it",
            "was trained on. No video, feature or label of these is in this folder; the weights",
            "carry what training left in them, and the mean and deviation of each feature.",
            "",
            "| what | |",
            "|---|---|",
            *rows,
            "",
            "`sha256sum -c SHA256SUMS` says whether the files came over whole. In a copy of",
            "vidshift, `python -m pipeline.handover receive THIS_FOLDER` checks what is in them,",
            "puts them in place, and says what params.yaml needs. The target's features have to be",
            "made the way the source's were: same backbone and weights, clips, frames and flow.",
            "",
        ]
    )


def accuracy(of_seed: Mapping[Any, float]) -> str:
    """An accuracy over the seeds in words."""
    if not of_seed:
        return "not measured, it has no test video"
    mean, deviation = metrics.mean_and_deviation(list(of_seed.values()))
    return f"{mean:.1%}" + (f" (sd {deviation:.1%} over the seeds)" if len(of_seed) > 1 else "")


def leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as pairs with dotted names; the accuracies are told apart from these."""
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found += leaves(value, f"{prefix}{name}.") if name != "test_accuracy" else []
        else:
            found.append((prefix + name, value))
    return found


def plain(value: Any) -> str:
    """A value as text in a cell of a table, its signs without a meaning."""
    line = " ".join(str(value).split())
    return _SIGNS.sub(r"\\\1", html.escape(line, quote=False))
