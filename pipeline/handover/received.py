"""A model from somebody else, loaded after everything in it was checked. Nothing is executed."""

import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from pipeline import checkpoints, tables
from pipeline.checkpoints import Card
from pipeline.errors import UserError
from pipeline.handover import bundle, card
from pipeline.network import RelationNetwork

_REMEDY = "get the whole folder again from whoever made it"


def load(folder: Path) -> tuple[Card, dict[int, RelationNetwork], list[dict[str, tables.Cell]]]:
    """The card, the network of each seed and the log of their training.

    Raises UserError: bytes that differ from their digests, a faulty card, weights that are no
    safetensors, of other names, shapes or types than the card says or not finite, a faulty log.
    """
    names = bundle.verified(folder)
    described, seeds = card.read(folder / "card.json")
    parts = {"card.json", "training.csv", *(f"seed-{seed}.safetensors" for seed in seeds)}
    if wrong := sorted(set(names) - {"README.md"} ^ parts):
        raise UserError(f"{folder}: {', '.join(wrong)}: in the card or here alone; {_REMEDY}")
    for seed in seeds:
        _require_form(folder / f"seed-{seed}.safetensors", described)
    _, models = checkpoints.load(folder)
    for seed, model in models.items():
        _require_finite(folder / f"seed-{seed}.safetensors", model)
    return described, models, _log(folder / "training.csv", seeds)


def _require_form(path: Path, described: Card) -> None:
    """Reads a file's header alone, so that no forged size is ever allocated."""
    with torch.device("meta"):
        expected = {
            name: (list(value.shape), "F32")
            for name, value in described.new_network(seed=0).state_dict().items()
        }
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            found = {name: (part.get_shape(), part.get_dtype()) for name, part in slices.items()}
    except (OSError, SafetensorError) as fault:
        raise UserError(
            f"{path}: no safetensors file, or a damaged one ({fault}); {_REMEDY}"
        ) from None
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise UserError(
                f"{path}: {name[:100]!r}: the card expects {_words(expected.get(name))}, "
                f"found {_words(found.get(name))}; {_REMEDY}"
            )


def _words(form: tuple[list[int], str] | None) -> str:
    return "nothing" if form is None else f"{form[1]} of shape {form[0]}"


def _require_finite(path: Path, model: RelationNetwork) -> None:
    for name, value in model.state_dict().items():
        if not value.isfinite().all():
            raise UserError(f"{path}: {name} holds values that are not finite; {_REMEDY}")


def _log(path: Path, seeds: list[int]) -> list[dict[str, tables.Cell]]:
    """The log with its cells as numbers."""
    rows = tables.read(path, ["seed", "epoch"])
    try:
        numbers = [{name: _number(cell) for name, cell in row.items()} for row in rows]
    except (AttributeError, TypeError, ValueError) as fault:
        raise UserError(f"{path}: expected numbers in all cells ({fault}); {_REMEDY}") from None
    if {row["seed"] for row in numbers} != set(seeds):
        raise UserError(f"{path}: expected rows of the seeds {seeds}; {_REMEDY}")
    if wrong := [name for name in numbers[0] if not name.isidentifier()]:
        raise UserError(f"{path}: {wrong[0][:100]!r} is no name of a loss; {_REMEDY}")
    return numbers


def _number(cell: Any) -> tables.Cell:
    value: int | float = int(cell) if cell.isdecimal() else float(cell)
    if not math.isfinite(value):
        raise ValueError(f"{cell!r} is not finite")
    return value
