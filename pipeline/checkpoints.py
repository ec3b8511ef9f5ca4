"""Trained models on disk: a safetensors file a seed, a card that says what they expect, a log."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from pipeline import atomic, tables
from pipeline.errors import UserError
from pipeline.network import RelationNetwork


@dataclass(frozen=True)
class ModelCard:
    """What a model is and what it may be fed; a subclass a kind of network.

    classes   names, in the order of the logits
    dim       d, the features' width
    layers, dropout  of the network
    features  provenance of the features that it was trained on: backbone, clips, flow, frames
    training  what each stage did to it: method, settings, warnings
    """

    classes: tuple[str, ...]
    dim: int
    layers: int
    dropout: float
    features: Mapping[str, Any]
    training: Mapping[str, Any] = field(default_factory=dict)

    def new_network(self, seed: int) -> nn.Module:
        """An untrained network of this shape."""
        raise NotImplementedError

    def trained(self, stage: str, **how: Any) -> Self:
        """The card of a model of this shape, with what `stage` did to it."""
        return replace(self, training={**self.training, stage: how})

    def require_features(self, provenance: Mapping[str, Any], where: Path) -> None:
        """Raises UserError unless features of this provenance fit the model; says what differs."""
        ours, theirs = _flat(self.features), _flat(provenance)
        differing = [
            f"{name}: the model expects {ours.get(name)!r}, {where} has {theirs.get(name)!r}"
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name) != theirs.get(name)
        ]
        if differing:
            raise UserError(
                "these features do not fit the source model; make both with the same parameters\n"
                + "\n".join(f"  {line}" for line in differing)
            )


@dataclass(frozen=True)
class Card(ModelCard):
    """The card of relation networks."""

    def new_network(self, seed: int) -> RelationNetwork:
        """An untrained network of this shape."""
        return RelationNetwork(
            self.dim, len(self.classes), layers=self.layers, dropout=self.dropout, seed=seed
        )


AnyCard = TypeVar("AnyCard", bound=ModelCard)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def save(
    folder: Path, models: Mapping[int, nn.Module], card: ModelCard, log: Sequence[tables.Row]
) -> None:
    """Writes seed-<seed>.safetensors, card.json and the log of their training, training.csv.

    `folder` appears whole or not at all.
    """
    with atomic.new_folder(folder) as aside:
        for seed, model in sorted(models.items()):
            weights = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
            safetensors.torch.save_file(weights, aside / f"seed-{seed}.safetensors")
        text = json.dumps({"seeds": sorted(models), **asdict(card)}, indent=2, ensure_ascii=False)
        tables.write(aside / "training.csv", log)
        (aside / "card.json").write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[Card, dict[int, RelationNetwork]]:
    """Reads the card and the relation network of each seed, in eval mode.

    Raises UserError: no models there, or a file that does not fit the card.
    """
    card, models = load_as(Card, folder)
    return card, cast(dict[int, RelationNetwork], models)


def load_as(kind: type[AnyCard], folder: Path) -> tuple[AnyCard, dict[int, nn.Module]]:
    """The same for the networks of another kind of card."""
    try:
        content = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        seeds = content.pop("seeds")
        card = kind(**{**content, "classes": tuple(content["classes"])})
    except FileNotFoundError:
        raise UserError(
            f"{folder}: no model there; `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise UserError(f"{folder}/card.json: not a model card of this version ({fault})") from None
    return card, {seed: _load_one(folder / f"seed-{seed}.safetensors", card) for seed in seeds}


def _load_one(path: Path, card: ModelCard) -> nn.Module:
    model = card.new_network(seed=0)
    try:
        model.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, SafetensorError, RuntimeError) as fault:
        wrong = " ".join(str(fault).split())
        raise UserError(f"{path}: does not fit its card.json ({wrong}); fetch both again") from None
    return model.eval()
