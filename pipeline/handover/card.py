"""The card of a model from somebody else: read as what it claims to be, and held against that."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pipeline import faults
from pipeline.checkpoints import Card
from pipeline.errors import UserError
from pipeline.params import DOMAIN_NAME, Seed

_LARGEST = 2**20  # bytes of a card
_LONGEST = 1000  # signs of a text
_DEEPEST = 8  # keys within keys
_REMEDY = "get the whole folder again, made by the same version of this project"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"holds signs that cannot be printed; got {text!r}")
    return text


Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
DomainName = Annotated[str, Field(max_length=100, pattern=f"^{DOMAIN_NAME}$")]
Values = dict[Text, Annotated[str, Field(max_length=_LONGEST)] | int | float]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class _Backbone(_Part):
    backbone: Literal["i3d", "i3d_nano", "i3d_r50", "i3d_tuned", "i3d_nano_tuned", "imported"]


class _Frames(_Part):
    clips: Values
    decode: Values


class _Flow(_Part):
    bound: float


class _Features(_Part):
    """Their provenance; what is not named here is compared with the target's, and not read."""

    features: _Backbone
    backbone_sha256: Text | None = None
    frames: _Frames | None = None
    flow: _Flow | None = None
    imported: Values | None = None


class _Pretrain(_Part):
    source: DomainName
    test_accuracy: dict[Text, Annotated[float, Field(ge=0, le=1)]]


class _Training(_Part):
    pretrain: _Pretrain


class _Content(_Part):
    """What a card holds. The bounds keep a forged one from filling the memory."""

    model_config = ConfigDict(extra="forbid")

    seeds: Annotated[list[Seed], Field(min_length=1, max_length=1000)]
    classes: Annotated[list[Text], Field(min_length=2, max_length=10_000)]
    dim: Annotated[int, Field(ge=1, le=65_536)]
    layers: Annotated[int, Field(ge=1, le=64)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    features: _Features
    training: _Training


def read(path: Path) -> tuple[Card, list[int]]:
    """A card and the seeds of its models, all of it checked.

    Raises UserError: no card, or not of the form that stage `pretrain` of this version writes.
    """
    content = _json(path)
    try:
        checked = _Content.model_validate(content)
    except ValidationError as fault:
        told = "\n".join(line[:300] for line in faults.lines(path, _Content, fault))
        raise UserError(f"{told}\nno model card of this version; {_REMEDY}") from None
    for values in (checked.seeds, checked.classes):
        if len(set(values)) < len(values):
            raise UserError(f"{path}: a seed or a class stands twice; {_REMEDY}")
    _require_plain(path, content)
    seeds = content.pop("seeds")
    return Card(**{**content, "classes": tuple(content["classes"])}), seeds


def _json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError(f"longer than {_LARGEST} bytes")
        tree = json.loads(content.decode("utf-8"))
    except (OSError, RecursionError, ValueError) as fault:
        raise UserError(f"{path}: no model card ({fault}); {_REMEDY}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path}: no model card, expected keys and values; {_REMEDY}")
    return tree


def _require_plain(path: Path, tree: Any, depth: int = 0) -> None:
    """Raises UserError for a text that is too long or cannot be printed, and keys without end."""
    if depth > _DEEPEST:
        raise UserError(f"{path}: keys within keys, more than {_DEEPEST} deep; {_REMEDY}")
    if isinstance(tree, str) and not (tree.isprintable() and len(tree) <= _LONGEST):
        raise UserError(
            f"{path}: expected texts of up to {_LONGEST} signs that can be printed, "
            f"found {tree[:100]!r}; {_REMEDY}"
        )
    parts = [*tree, *tree.values()] if isinstance(tree, dict) else tree
    for part in parts if isinstance(parts, list) else []:
        _require_plain(path, part, depth + 1)
