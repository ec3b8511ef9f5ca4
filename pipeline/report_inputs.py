"""What stage `report` reads, checked: it may be fetched, damaged, or of several runs.

A log of training comes from others where a source model was received. The page escapes what it
shows; here is looked after that there is something to show.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from pipeline import faults, params, paths, relations, tables
from pipeline.doubts import Rows
from pipeline.errors import UserError
from pipeline.pictures import Pictures
from pipeline.results import MODELS, Results

DEEPEST = 16  # tables in tables
SHOWN = 5  # faults of a file that are told
Share = Annotated[float, Field(ge=0, le=1)]
Models = Literal["source_only", "adapted"]
AGAIN = "make it again with `dvc repro`"


class _Form(BaseModel):
    """What a file must hold at least."""

    model_config = ConfigDict(strict=True)


class _Pretrained(_Form):
    source: str
    test_accuracy: dict[str, Share]


class _Adapted(_Form):
    target: str
    method: str
    warnings: dict[str, list[str]]


class _Training(_Form):
    pretrain: _Pretrained
    adapt: _Adapted


class _Card(_Form):
    classes: Annotated[list[str], Field(min_length=1)]
    seeds: Annotated[list[int], Field(min_length=1)]
    layers: int
    dropout: float
    dim: int
    features: dict[str, Any]
    training: _Training


class _LabelFree(_Form):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)
    mean_entropy: float
    predicted_classes: float


class _Unmeasured(_Form):
    label_free: _LabelFree


class _Measured(_Unmeasured):
    accuracy: Share
    accuracy_sd: float | None
    accuracy_low: Share
    accuracy_high: Share
    mean_class_accuracy: Share
    calibration_error: Share
    calibrated_error: Share | None
    seeds: Annotated[dict[str, Share], Field(min_length=1)]
    per_class: dict[str, Share]


class _MeasuredOverEpochs(_Measured):
    last_epochs_mean: Share
    oracle: Share


class _Metrics(_Form):
    labelled_test_videos: Annotated[int, Field(ge=0)]
    source_only: _Unmeasured
    adapted: _Unmeasured


class _LabelledMetrics(_Metrics):
    source_only: _Measured
    adapted: _MeasuredOverEpochs


class _Shares(_Form):
    source_only: Share | None = None
    adapted: Share | None = None


class _Retrieval(_Form):
    nearest_same_class: _Shares


class _Row(BaseModel):
    """A row of a table, whose cells are text."""


class _Predicted(_Row):
    seed: int
    key: str
    split: str
    label: str
    source_only: str
    source_only_confidence: Share
    adapted: str
    adapted_confidence: Share


class _Confused(_Row):
    actual: str
    source_only: str
    adapted: str


class _Embedded(_Row):
    model: Models
    key: str
    label: str
    x: FiniteFloat
    y: FiniteFloat


class _Found(_Row):
    model: Models
    key: str
    rank: int
    label: str
    nearest: str
    nearest_label: str
    similarity: FiniteFloat


class _Placed(_Embedded):
    domain: str


class _Logged(_Row):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | Literal[""]] = Field(init=False)
    seed: int
    epoch: Annotated[int, Field(ge=0, le=10**6)]


CARD, METRICS = paths.ADAPTED_MODEL / "card.json", paths.RESULTS / "metrics.json"
SHARES, RELATIONS = paths.RESULTS / "retrieval.json", paths.RESULTS / "relations.safetensors"
PREDICTIONS, CONFUSION, EMBEDDING, RETRIEVAL, DOMAINS = (
    paths.RESULTS / f"{name}.csv"
    for name in ("predictions", "confusion", "embedding", "retrieval", "domains")
)


def read() -> Results:
    """All that the report shows.

    Raises UserError: a file is missing, or is not what the stages write, or files are not of one
    run; a line a fault.
    """
    card, predictions = _json(CARD, _Card), _table(PREDICTIONS, _Predicted)
    results = Results(
        card=card,
        metrics=_json(METRICS, _Metrics),
        pretrain=_log(paths.SOURCE_MODEL / "training.csv"),
        adapt=_log(paths.ADAPTED_MODEL / "training.csv"),
        predictions=predictions,
        confusion=_table(CONFUSION, _Confused),
        embedding=_table(EMBEDDING, _Embedded),
        shares=_json(SHARES, _Retrieval)["nearest_same_class"],
        retrieval=_table(RETRIEVAL, _Found),
        domains=_table(DOMAINS, _Placed),
        relations=relations.load(RELATIONS, MODELS, _tested(predictions)),
        pictures={
            "source": _pictures(_domain(card, "pretrain", "source")),
            "target": _pictures(_domain(card, "adapt", "target")),
        },
    )
    if results.labelled:
        _require(METRICS, _LabelledMetrics, results.metrics)
    for path, wrong in _differences(results):
        raise UserError(f"{path}: {wrong}; the files are of several runs, or damaged: {AGAIN}")
    return results


def _tested(predictions: Rows) -> int:
    """How many test videos each seed has."""
    first = [row for row in predictions if row["seed"] == predictions[0]["seed"]]
    return sum(row["split"] == "test" for row in first)


def _pictures(domain: str) -> Mapping[str, bytes]:
    """A domain's pictures; none where the domain's data are not at hand."""
    folder = paths.pictures(domain)
    return Pictures.of(folder) if folder.exists() else {}


def _domain(card: Mapping[str, Any], stage: str, role: str) -> str:
    """A domain's name; a path is made of it."""
    name = str(card["training"][stage][role])
    if not re.fullmatch(params.DOMAIN_NAME, name):
        raise UserError(f"{CARD}: {name!r:.99} is no name of a domain; {AGAIN}")
    return name


def _json(path: Path, form: type[BaseModel]) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not _shallow(content):
            raise ValueError(f"tables in tables, more than {DEEPEST} deep")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; `dvc repro` makes it, `dvc pull` fetches it"
        ) from None
    except (OSError, RecursionError, ValueError) as fault:
        raise UserError(f"{path}: not JSON ({fault}); {AGAIN}") from None
    _require(path, form, content)
    known: Mapping[str, Any] = content
    return known


def _shallow(value: object, levels: int = DEEPEST) -> bool:
    parts: Iterable[object] = value if isinstance(value, list) else ()
    if isinstance(value, Mapping):
        parts = value.values()
    return levels > 0 and all(_shallow(part, levels - 1) for part in parts)


def _table(path: Path, form: type[BaseModel]) -> Sequence[Mapping[str, str]]:
    rows = tables.read(path)
    for number, row in enumerate(rows, start=2):
        _require(path, form, row, f" line {number}")
    return rows


def _log(path: Path) -> Sequence[Mapping[str, str]]:
    """A log of training; figures' files are named after its columns."""
    rows = _table(path, _Logged)
    if not rows or not all(name.isidentifier() for name in rows[0]):
        columns = ", ".join(rows[0]) if rows else "no row"
        raise UserError(f"{path}: no log of training ({columns}); {AGAIN}")
    return rows


def _require(path: Path, form: type[BaseModel], content: object, where: str = "") -> None:
    try:
        form.model_validate(content)
    except ValidationError as fault:
        lines = faults.lines(Path(f"{path}{where}"), form, fault)
        more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        raise UserError("\n".join([*lines[:SHOWN], *more, AGAIN])) from None


def _differences(results: Results) -> Iterable[tuple[Path, str]]:
    """Where files do not fit each other."""
    classes, seeds = set(results.classes), {row["seed"] for row in results.predictions}
    if len(classes) < len(results.classes):
        yield CARD, "a class stands twice"
    for path, rows, columns in (
        (PREDICTIONS, results.predictions, MODELS),
        (CONFUSION, results.confusion, ("actual", *MODELS)),
    ):
        yield from _strangers(path, (row[name] for row in rows for name in columns), classes)
    if not results.test:
        yield PREDICTIONS, "no test video"
    keys = {row["key"] for row in results.test if row["seed"] == results.predictions[0]["seed"]}
    yield from _strangers(EMBEDDING, (row["key"] for row in results.embedding), keys)
    yield from _strangers(RETRIEVAL, (row["key"] for row in results.retrieval), keys)
    domains = {results.source, results.target}
    yield from _strangers(DOMAINS, (row["domain"] for row in results.domains), domains)
    ours = (row["key"] for row in results.domains if row["domain"] != results.source)
    yield from _strangers(DOMAINS, ours, keys)
    if results.retrieval and not results.shares:
        yield SHARES, "no shares of what was found"
    before, after = (results.metrics[model] for model in MODELS)
    if before["label_free"].keys() != after["label_free"].keys():
        yield METRICS, "other label-free scores before than after"
    if results.labelled:
        yield from _strangers(METRICS, before["per_class"], classes)
        if before["per_class"].keys() != after["per_class"].keys():
            yield METRICS, "other classes before than after"
        if before["seeds"].keys() != after["seeds"].keys() or len(seeds) != len(after["seeds"]):
            yield METRICS, f"other seeds before than after, or than the {len(seeds)} predicted"
        if not results.confusion:
            yield CONFUSION, "no row"
        if not any(row["label"] in classes for row in results.test):
            yield PREDICTIONS, f"no test video with a label, which {METRICS} speaks of"


def _strangers(
    path: Path, names: Iterable[str], known: Collection[str]
) -> Iterable[tuple[Path, str]]:
    for name in names:
        if name not in known:
            yield path, f"{name!r:.99} is not known to the other files"
