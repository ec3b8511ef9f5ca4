"""Writes a source model as a folder to hand over: the model, what it is, and digests of both."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import atomic, checkpoints, tables
from pipeline.errors import UserError
from pipeline.handover import bundle, readme, received
from pipeline.version import VERSION

_PATH = re.compile(r"(^|[\s'\"=:(])(~?/\w|~\w+/|[A-Za-z]:[\\/]|\\\\\w)")


def export(model: Path, folder: Path) -> checkpoints.Card:
    """Writes `folder` from a source model, whole or not at all; returns the card in it.

    Raises UserError: no model there, `folder` is there already, or the card holds a path.
    """
    if folder.exists():
        raise UserError(f"{folder}: is there already; name a folder that is yet to be made")
    card, models = checkpoints.load(model)
    card = card.trained("handover", vidshift=VERSION)
    require_no_path(model, card)
    log = tables.read(model / "training.csv")
    with atomic.new_folder(folder) as aside:
        checkpoints.save(aside, models, card, log)
        (aside / "README.md").write_text(readme.text(card, sorted(models)), encoding="utf-8")
        bundle.seal(aside)
        received.load(aside)  # nothing goes out that would not be taken in
    return card


def require_no_path(model: Path, card: checkpoints.Card) -> None:
    """Raises UserError if the card of a model holds what looks like a path."""
    for where, text in _texts({"classes": list(card.classes), "features": card.features}):
        if _PATH.search(text):
            raise UserError(
                f"{model}/card.json: {where}: {text!r} looks like a path on this machine, which "
                "is nobody else's business; rename it at its origin, then `dvc repro pretrain`"
            )


def _texts(tree: Any, where: str = "") -> list[tuple[str, str]]:
    """Every text in nested mappings and lists, with where it stands."""
    if isinstance(tree, str):
        return [(where, tree)]
    if isinstance(tree, Mapping):
        parts = [(f"{where}.{name}".lstrip("."), value) for name, value in tree.items()]
    else:
        parts = [(where, value) for value in tree] if isinstance(tree, list | tuple) else []
    return [text for name, value in parts for text in _texts(value, name)]
