"""Trained models on disk: a safetensors file a seed, a card that says what they expect, a log."""

import json
from collections.abc import Iterable, Mapping, Sequence
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

    def require_plausible(self) -> None:
        """Raises ValueError for what no network has: cards come from others, too."""
        if not all(isinstance(name, str) for name in self.classes):
            raise ValueError("classes that are no texts")
        if "\r" in "".join(self.classes).encode().decode():
            raise ValueError("a carriage return in the name of a class")
        if not (_is_count(self.dim, 2**16) and _is_count(self.layers, 2**10)):
            raise ValueError(f"dim {self.dim!r}, layers {self.layers!r}")
        if type(self.dropout) not in (int, float) or not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout!r}")
        for part in (self.features, self.training):
            if not isinstance(part, Mapping) or not _shallow(part):
                raise ValueError("features or training that are no table, or a bottomless one")
        told = self.training.get("pretrain", {})
        accuracies = told.get("test_accuracy", {}).values()
        if (
            not all(isinstance(a, float) for a in accuracies)
            or type(told.get("source", "")) is not str
        ):
            raise ValueError("training.pretrain of another form")

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
                "these features do not fit the source model; give params.yaml and models/ what the "
                "model expects and run `dvc repro`, or take a model of such features\n"
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


def _is_count(value: object, most: int) -> bool:
    return type(value) is int and 0 < value <= most


def _shallow(value: object, levels: int = 16) -> bool:
    """Whether values of values end after so many levels."""
    parts: Iterable[object] = value if isinstance(value, list) else ()
    if isinstance(value, Mapping):
        parts = value.values()
    return levels > 0 and all(_shallow(part, levels - 1) for part in parts)


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
            # `save_file` would make files that nobody else may read, whatever the umask
            (aside / f"seed-{seed}.safetensors").write_bytes(safetensors.torch.save(weights))
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
        # file names are made of them
        if len({*seeds}) < len(seeds) or not all(_is_count(seed + 1, 2**32) for seed in seeds):
            raise ValueError(f"seeds {seeds!r:.99}")
        card = kind(**{**content, "classes": tuple(content["classes"])})
        card.require_plausible()
    except FileNotFoundError:
        raise UserError(
            f"{folder}: no model there; `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
    except (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as fault:
        raise UserError(f"{folder}/card.json: not a model card of this version ({fault})") from None
    return card, {seed: _load_one(folder / f"seed-{seed}.safetensors", card) for seed in seeds}


def _load_one(path: Path, card: ModelCard) -> nn.Module:
    try:
        weights = safetensors.torch.load_file(path)
        held = sum(part.numel() for part in weights.values())
        if card.layers * card.dim**2 > held:  # a network of the card's size could fill the memory
            raise RuntimeError(f"{held} numbers for {card.layers} layers of width {card.dim}")
        model = card.new_network(seed=0)
        model.load_state_dict(weights)
    except (KeyError, OSError, SafetensorError, RuntimeError, ValueError) as fault:
        wrong = " ".join(str(fault).split())
        raise UserError(f"{path}: does not fit its card.json ({wrong}); fetch both again") from None
    return model.eval()
