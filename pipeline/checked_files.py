"""JSON and CSV files that stages left, checked: they may be fetched, damaged, or older."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import faults, tables
from pipeline.errors import UserError

DEEPEST = 16  # tables in tables
SHOWN = 5  # faults of a file that are told
AGAIN = "make it again with `dvc repro`"
Share = Annotated[float, Field(ge=0, le=1)]


class Form(BaseModel):
    """What a JSON file must hold at least."""

    model_config = ConfigDict(strict=True)


class Accuracies(Form):
    """What is measured on labelled test videos, over the seeds."""

    accuracy: Share
    accuracy_sd: float | None
    accuracy_low: Share
    accuracy_high: Share
    mean_class_accuracy: Share
    calibration_error: Share
    seeds: Annotated[dict[str, Share], Field(min_length=1)]
    per_class: dict[str, Share]


class Row(BaseModel):
    """What a row of a table must hold at least; its cells are text."""


class _Logged(Row):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | Literal[""]] = Field(init=False)
    seed: int
    epoch: Annotated[int, Field(ge=0, le=10**6)]


def json_file(path: Path, form: type[Form]) -> Mapping[str, Any]:
    """The content of a JSON file.

    Raises UserError: it is missing, no JSON, or not of this form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not _shallow(content):
            raise ValueError(f"tables in tables, more than {DEEPEST} deep")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; `dvc repro` of its stage makes it, `dvc pull` fetches it"
        ) from None
    except (OSError, RecursionError, ValueError) as fault:
        raise UserError(f"{path}: not JSON ({fault}); {AGAIN}") from None
    require(path, form, content)
    known: Mapping[str, Any] = content
    return known


def table(path: Path, form: type[Row]) -> Sequence[Mapping[str, str]]:
    """The rows of a CSV file.

    Raises UserError: it is missing, no table, or a row is not of this form.
    """
    rows = tables.read(path)
    for number, row in enumerate(rows, start=2):
        require(path, form, row, f" line {number}")
    return rows


def log(path: Path) -> Sequence[Mapping[str, str]]:
    """A log of training; figures' files are named after its columns.

    Raises UserError: it is missing, or no such log.
    """
    rows = table(path, _Logged)
    if not rows or not all(name.isidentifier() for name in rows[0]):
        columns = ", ".join(rows[0]) if rows else "no row"
        raise UserError(f"{path}: no log of training ({columns}); {AGAIN}")
    return rows


def require(path: Path, form: type[BaseModel], content: object, where: str = "") -> None:
    """Raises UserError if the content of a file is not of this form; a line a fault."""
    try:
        form.model_validate(content)
    except ValidationError as fault:
        lines = faults.lines(Path(f"{path}{where}"), form, fault)
        more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        raise UserError("\n".join([*lines[:SHOWN], *more, AGAIN])) from None


def _shallow(value: object, levels: int = DEEPEST) -> bool:
    parts: Iterable[object] = value if isinstance(value, list) else ()
    if isinstance(value, Mapping):
        parts = value.values()
    return levels > 0 and all(_shallow(part, levels - 1) for part in parts)
