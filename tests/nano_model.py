"""A project's adapted model of two seeds, untrained, of features of the backbone i3d_nano."""

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


def write(folder: Path) -> None:
    """The model and the backbone in a folder, in which this process works."""
    (folder / paths.MODELS).mkdir()
    (folder / paths.backbone("i3d_nano")).symlink_to(ROOT / "models/i3d_nano")
    card = Card(CLASSES, dim=256, layers=1, dropout=0.0, features={})
    made = extractor_of(_with_features(card, {})).provenance()
    card = (
        _with_features(card, made)
        .trained("pretrain", source="lab")
        .trained("adapt", target="yard", method="shot")
    )
    models = {seed: card.new_network(seed) for seed in (0, 1)}
    checkpoints.save(folder / paths.ADAPTED_MODEL, models, card, [{"epoch": 1}])


def _with_features(card: Card, made: dict[str, Any]) -> Card:
    computed = {"version": 1, "algorithm": flow.provenance(), "bound": 20.0}
    features = {"backbone": "i3d_nano", "precision": "float32"}
    parts = {"features": features, "frames": FRAMES, "flow": computed} | made
    return Card(card.classes, card.dim, card.layers, card.dropout, parts)
