"""A source model as stage `pretrain` leaves it, small, and changed folders to hand over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pipeline import checkpoints
from pipeline.checkpoints import Card
from pipeline.handover import bundle, exported
from pipeline.network import RelationNetwork

CLASSES = ("jump", "run", "walk")
SEEDS = (0, 7)
DIM = 8
PROVENANCE: dict[str, Any] = {
    "version": 2,
    "features": {"backbone": "i3d_nano", "precision": "float32"},
    "backbone_sha256": "ab" * 32,
    "frames": {
        "version": 1,
        "clips": {"segments": 5, "windows": 1, "frames": 16, "sampling": "spread"},
        "decode": {"size": 64, "resize": "squash"},
    },
    "flow": {"version": 3, "algorithm": {"tau": 0.25}, "bound": 20.0},
}


def card(**changed: Any) -> Card:
    """The card of such a model, with other values in some places."""
    shape: dict[str, Any] = {"classes": CLASSES, "dim": DIM, "layers": 1, "dropout": 0.3}
    untrained = Card(**{**shape, "features": PROVENANCE, **changed})
    accuracy = dict.fromkeys(SEEDS, 0.75)
    return untrained.trained("pretrain", source="lab", epochs=2, lr=0.01, test_accuracy=accuracy)


def networks(described: Card) -> dict[int, RelationNetwork]:
    """Untrained networks that know statistics of their input, and have been given others."""
    made = {seed: described.new_network(seed) for seed in SEEDS}
    for network in made.values():
        network.inputs.mean.copy_(torch.rand(2, described.dim))
    return made


def save(folder: Path, **changed: Any) -> Path:
    """Writes such a model."""
    described = card(**changed)
    log = [{"seed": seed, "epoch": e, "cross_entropy": 1 / e} for seed in SEEDS for e in (1, 2)]
    checkpoints.save(folder, networks(described), described, log)
    return folder


def export(folder: Path, **changed: Any) -> Path:
    """Writes such a model as a folder to hand over."""
    exported.export(save(folder.with_name(f"{folder.name}-model"), **changed), folder)
    return folder


def reseal(folder: Path, files: Mapping[str, bytes | None]) -> None:
    """Replaces or removes files, and makes the digests right again, as a forger would."""
    (folder / bundle.SUMS).unlink()
    for name, content in files.items():
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / name).write_bytes(content)
    bundle.seal(folder)
