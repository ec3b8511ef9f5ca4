"""Writes the folder: card, weights of model and backbone, a README, digests, programs if asked."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import atomic, checkpoints, paths, tables
from pipeline.checkpoints import Card
from pipeline.errors import UserError
from pipeline.fingerprint import file_hash
from pipeline.handover import card as cards
from pipeline.handover import exported, fit
from pipeline.handover.bundle import SUMS
from pipeline.model_export import readme
from pipeline.model_export.measured import measured
from pipeline.predictor import BACKBONE
from pipeline.version import VERSION


def export(
    model: Path, folder: Path, *, seed: int | None = None, programs: bool = False
) -> tuple[Card, Sequence[int]]:
    """Writes `folder` from a model, whole or not at all; returns its card and its seeds.

    Args:
        model: a folder of `checkpoints`.
        folder: yet to be made, or an earlier export, which is replaced.
        seed: of the one model to take; None: all.
        programs: also write what PyTorch runs without this project.

    Raises:
        UserError: no model there or none of that seed, `folder` is something else, the card lacks
            something or holds a path, the backbone's weights are missing or not the model's.
    """
    _require_free(folder)
    card, models = checkpoints.load(model)
    if seed is not None and seed not in models:
        raise UserError(f"{model}: no model of seed {seed}; there are {sorted(models)}")
    cards.read(model / "card.json")  # all that is told of it in the README is there and plain
    exported.require_no_path(model, card)
    if wrong := fit.weights(card, _weights(card)):
        raise UserError(wrong)
    known = measured(model, sorted(models), seed)
    kept = {number: network for number, network in models.items() if seed in (None, number)}
    card = replace(card, training=_of_seeds(card.training, kept))
    card = card.trained("export", vidshift=VERSION, **known)
    log = [row for row in tables.read(model / "training.csv") if _is_of(row, kept)]
    with atomic.new_folder(folder) as aside:
        checkpoints.save(aside, kept, card, log)
        _copy_backbone(card, aside)
        version = None
        if programs:
            from pipeline.model_export.programs import write  # seconds to import

            version = write(aside, card, kept)
        text = readme.text(card, sorted(kept), torch=version)
        (aside / "README.md").write_text(text, encoding="utf-8")
        lines = [f"{digest}  {name}\n" for name, digest in _digests(aside).items()]
        (aside / SUMS).write_text("".join(lines), encoding="utf-8")
    return card, sorted(kept)


def _require_free(folder: Path) -> None:
    """Raises UserError unless a folder is yet to be made, or holds what `export` wrote alone."""
    if not folder.exists() and not folder.is_symlink():
        return
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sealed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        sealed |= {SUMS: file_hash(folder / SUMS)}
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        ours = "export" in card["training"] and sealed == _digests(folder)
    except (OSError, LookupError, TypeError, ValueError):
        ours = False
    if not ours or folder.is_symlink():
        raise UserError(
            f"{folder}: something else is there, or an export that was changed; name a folder that "
            "is yet to be made, or move this one away"
        )


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by its name there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in files}


def _weights(card: Card) -> Path:
    name: str = card.features["features"]["backbone"]
    return paths.backbone(name)


def _copy_backbone(card: Card, folder: Path) -> None:
    """Imported features have none."""
    files = sorted(_weights(card).glob("*.safetensors"))
    if card.features["features"]["backbone"] != "imported":
        (folder / BACKBONE).mkdir()
        for path in files:
            shutil.copyfile(path, folder / BACKBONE / path.name)


def _is_of(row: Mapping[str, Any], seeds: Mapping[int, object]) -> bool:
    return "seed" not in row or int(row["seed"]) in seeds


def _of_seeds(training: Mapping[str, Any], seeds: Mapping[int, object]) -> dict[str, Any]:
    """What training a card tells of, without the values of other seeds."""
    names = {str(seed) for seed in seeds}
    by_seed = ("test_accuracy", "epoch_of_seed", "warnings")
    return {
        stage: {
            name: {s: v for s, v in value.items() if s in names} if name in by_seed else value
            for name, value in told.items()
        }
        for stage, told in training.items()
    }
