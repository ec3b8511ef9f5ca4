"""The page that says what an adaptation did: one HTML file that needs nothing but itself."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from jinja2 import Environment
from markupsafe import Markup

from pipeline import html
from pipeline.doubts import Doubt, Row, changed, close_ups, mistakes, unsure
from pipeline.figures import by_class, curves
from pipeline.glossary import entry, glossary
from pipeline.pictures import data_url
from pipeline.results import MODELS, Results

CHANGED = 9  # videos that are shown: three rows of three


class Query(NamedTuple):
    """A test video of the target, and what each model finds of the source for it."""

    key: str
    label: str
    found: Mapping[str, list[Row]]
    """A model's name -> rows of results/retrieval.csv, the nearest first."""


def page(results: Results, drawn: Mapping[str, str]) -> str:
    """The page; `drawn` are the figures of these results."""
    pretrain, adapt = (results.card["training"][stage] for stage in ("pretrain", "adapt"))
    before, after = (results.metrics[model] for model in MODELS)
    template = _environment().get_template("report.html")
    return template.render(
        results=results,
        source=results.source,
        target=results.target,
        method=adapt["method"],
        matched=adapt.get("statistics") == "target",
        methods=glossary()["methods"],
        backbone=_flat(results.card["features"]).get("features.backbone", "imported"),
        source_accuracies=list(pretrain["test_accuracy"].values()),
        warnings=[(seed, text) for seed, said in adapt["warnings"].items() for text in said],
        before=before,
        after=after,
        gains=_gains(before, after),
        videos=_videos(results),
        classes=_class_rows(results),
        changes=changed(results.test, CHANGED),
        doubts=_doubts(results),
        queries=_queries(results),
        clips=results.relations["adapted"].shape[-1],
        parameters=_parameters(results.card),
        figures={name: Markup(text) for name, text in drawn.items()},
        glossary=_glossary(results),
    )


def _environment() -> Environment:
    environment = html.environment()
    environment.filters |= {"percent": _percent, "points": _points_of, "score": _score}
    environment.filters["data_url"] = data_url
    environment.globals |= {"entry": entry, "models": MODELS}
    return environment


def _doubts(results: Results) -> list[Doubt]:
    """Confident mistakes; without labels, unsure predictions."""
    return mistakes(results.test, results.classes) if results.labelled else unsure(results.test)


def _queries(results: Results) -> list[Query]:
    """What is found for the videos that are looked at closely; nothing without a source to see."""
    queries = []
    for key in close_ups(results.test, results.classes):
        rows = [row for row in results.retrieval if row["key"] == key]
        found = {model: [row for row in rows if row["model"] == model] for model in MODELS}
        queries += [Query(key, rows[0]["label"], found)] if rows else []
    return queries


def _gains(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float]:
    """What adaptation added to each seed's accuracy; empty without labels."""
    old = before.get("seeds", {})
    return {seed: value - old[seed] for seed, value in after.get("seeds", {}).items()}


def _class_rows(results: Results) -> list[tuple[int, str, int, tuple[float, float] | None]]:
    """Number, name, labelled test videos and `_by_class` (None: no such video) of each class."""
    rates = by_class(results)
    rows, seeds = Counter(row["actual"] for row in results.confusion), len(results.card["seeds"])
    return [
        (number, name, rows[name] // seeds, rates.get(name))
        for number, name in enumerate(results.classes)
    ]


def _videos(results: Results) -> Counter[str]:
    """How many videos of the target each split has."""
    first = results.predictions[0]["seed"]
    return Counter(row["split"] for row in results.predictions if row["seed"] == first)


def _parameters(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Everything that made the models, in groups, by dotted names."""
    pretrain, adapt = card["training"]["pretrain"], card["training"]["adapt"]
    network = {name: card[name] for name in ("layers", "dropout", "dim")}
    return {
        "Adaptation": {name: value for name, value in adapt.items() if name != "warnings"},
        "Source model": {n: v for n, v in pretrain.items() if n != "test_accuracy"} | network,
        "Features": _flat(card["features"]),
    }


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        inner = isinstance(value, Mapping)
        flat |= _flat(value, f"{prefix}{name}.") if inner else {prefix + name: value}
    return flat


def _glossary(results: Results) -> list[str]:
    """The scores and losses that this page speaks of, by name, in the glossary's order."""
    after = results.metrics["adapted"]
    spoken = {*after, *after["label_free"], *curves(results.pretrain), *curves(results.adapt)}
    return [name for name in glossary()["scores"] | glossary()["losses"] if name in spoken]


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _points_of(share: float) -> str:
    points = round(100 * share, 1)
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}") if points else "0.0"


def _score(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
