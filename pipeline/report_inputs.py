"""What stage `report` reads, checked: it may be fetched, damaged, or of several runs.

A log of training comes from others where a source model was received. The page escapes what it
shows; here is looked after that there is something to show.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, FiniteFloat

from pipeline import params, paths, relations
from pipeline.checked_files import (
    AGAIN,
    Accuracies,
    Form,
    Row,
    Share,
    json_file,
    log,
    require,
    table,
)
from pipeline.doubts import Rows
from pipeline.errors import UserError
from pipeline.pictures import Pictures
from pipeline.results import MODELS, Results

Models = Literal["source_only", "adapted"]


class _Pretrained(Form):
    source: str
    test_accuracy: dict[str, Share]


class _Adapted(Form):
    target: str
    method: str
    warnings: dict[str, list[str]]


class _Training(Form):
    pretrain: _Pretrained
    adapt: _Adapted


class _Card(Form):
    classes: Annotated[list[str], Field(min_length=1)]
    seeds: Annotated[list[int], Field(min_length=1)]
    layers: int
    dropout: float
    dim: int
    features: dict[str, Any]
    training: _Training


class _LabelFree(Form):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)
    mean_entropy: float
    predicted_classes: float


class _Unmeasured(Form):
    label_free: _LabelFree


class _Measured(_Unmeasured, Accuracies):
    calibrated_error: Share | None


class _MeasuredOverEpochs(_Measured):
    last_epochs_mean: Share
    oracle: Share


class _Metrics(Form):
    labelled_test_videos: Annotated[int, Field(ge=0)]
    source_only: _Unmeasured
    adapted: _Unmeasured


class _LabelledMetrics(_Metrics):
    source_only: _Measured
    adapted: _MeasuredOverEpochs


class _Shares(Form):
    source_only: Share | None = None
    adapted: Share | None = None


class _Retrieval(Form):
    nearest_same_class: _Shares


class _Predicted(Row):
    seed: int
    key: str
    split: str
    label: str
    source_only: str
    source_only_confidence: Share
    adapted: str
    adapted_confidence: Share


class _Confused(Row):
    actual: str
    source_only: str
    adapted: str


class _Embedded(Row):
    model: Models
    key: str
    label: str
    x: FiniteFloat
    y: FiniteFloat


class _Found(Row):
    model: Models
    key: str
    rank: int
    label: str
    nearest: str
    nearest_label: str
    similarity: FiniteFloat


class _Placed(_Embedded):
    domain: str


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
    card, predictions = json_file(CARD, _Card), table(PREDICTIONS, _Predicted)
    results = Results(
        card=card,
        metrics=json_file(METRICS, _Metrics),
        pretrain=log(paths.SOURCE_MODEL / "training.csv"),
        adapt=log(paths.ADAPTED_MODEL / "training.csv"),
        predictions=predictions,
        confusion=table(CONFUSION, _Confused),
        embedding=table(EMBEDDING, _Embedded),
        shares=json_file(SHARES, _Retrieval)["nearest_same_class"],
        retrieval=table(RETRIEVAL, _Found),
        domains=table(DOMAINS, _Placed),
        relations=relations.load(RELATIONS, MODELS, _tested(predictions)),
        pictures={
            "source": _pictures(_domain(card, "pretrain", "source")),
            "target": _pictures(_domain(card, "adapt", "target")),
        },
    )
    if results.labelled:
        require(METRICS, _LabelledMetrics, results.metrics)
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
