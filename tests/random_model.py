"""A folder with an adapted model of two seeds that has learnt nothing, and its backbone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import checkpoints, flow, paths
from pipeline.checkpoints import Card
from pipeline.predictor import extractor_of

ROOT = Path(__file__).parent.parent
CLASSES = ("jump", "<b>run</b>", "walk")
FRAMES = {
    "version": 2,
    "clips": {"segments": 2, "windows": 1, "frames": 8, "sampling": "spread"},
    "decode": {"size": 32, "resize": "squash"},
}


def write(folder: Path) -> Path:
    """Writes models/adapted and models/i3d_nano into a folder; returns the folder."""
    backbone = folder / paths.backbone("i3d_nano")
    backbone.parent.mkdir()
    backbone.symlink_to(ROOT / "models/i3d_nano")
    extract = replace(extractor_of(_with_features({})), weights=backbone)
    card = _with_features(extract.provenance())
    card = card.trained("pretrain", source="lab").trained("adapt", target="yard", method="shot")
    models = {seed: card.new_network(seed) for seed in (0, 1)}
    checkpoints.save(folder / paths.ADAPTED_MODEL, models, card, [{"epoch": 1}])
    return folder


def _with_features(made: dict[str, Any]) -> Card:
    computed = {"version": 1, "algorithm": flow.provenance(), "bound": 20.0}
    features = {"backbone": "i3d_nano", "precision": "float32"}
    parts = {"features": features, "frames": FRAMES, "flow": computed} | made
    return Card(CLASSES, dim=256, layers=1, dropout=0.0, features=parts)
