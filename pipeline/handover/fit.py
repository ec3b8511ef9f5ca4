"""What a project has to say in params.yaml, and which weights it needs, for a received model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import backbones, params
from pipeline.checkpoints import Card
from pipeline.errors import UserError


def settings(card: Card) -> dict[str, dict[str, Any]]:
    """The sections of params.yaml that shape features like those that the model learned from."""
    made = card.features
    if made["features"]["backbone"] == "imported":
        return {"features": {"backbone": "imported"}}
    frames, flow = made.get("frames", {}), made.get("flow", {})
    return {
        "clips": frames.get("clips", {}),
        "decode": frames.get("decode", {}),
        "flow": {"bound": flow.get("bound")},
        "features": made["features"],
    }


def differing(card: Card, p: params.Params) -> list[str]:
    """Lines for params.yaml where it now says something else."""
    ours = p.model_dump()
    return [
        f"{section}.{name}: {wanted}  # now {ours[section].get(name)}"
        for section, values in settings(card).items()
        for name, wanted in values.items()
        if ours[section].get(name) != wanted
    ]


def weights(card: Card, folder: Path) -> str | None:
    """What is wrong with the weights of the model's backbone in `folder`; None: they are the same.

    Imported features have no weights here: the target's must come from the same extractor.
    """
    name, expected = card.features["features"]["backbone"], card.features.get("backbone_sha256")
    if name == "imported":
        return None
    try:
        found = backbones.digest(folder)
    except UserError as fault:
        return f"{fault}; the model's features were made with weights of SHA-256 {expected}"
    if found == expected:
        return None
    return (
        f"{folder}: other weights (SHA-256 {found}) than those of the model's features "
        f"({expected}); put those there, whoever made the model has them"
    )


def kind(card: Card) -> Mapping[str, Any]:
    """Of imported features: what the target's must have in common with them."""
    imported: Mapping[str, Any] = card.features.get("imported", {})
    return imported
