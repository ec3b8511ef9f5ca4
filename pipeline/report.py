"""The page that says what an adaptation did: one HTML file that needs nothing but itself."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from pipeline import html, plots
from pipeline.doubts import Doubt, Row, Rows, mistakes, unsure
from pipeline.glossary import entry, glossary

MODELS = ("source_only", "adapted")


@dataclass(frozen=True)
class Results:
    """What the stages before left: a card, metrics.json, and CSV tables.

    card      models/adapted/card.json   metrics    results/metrics.json
    pretrain, adapt  the logs of training: `seed`, `epoch`, then named numbers
    predictions, confusion, embedding  results/<name>.csv
    """

    card: Mapping[str, Any]
    metrics: Mapping[str, Any]
    pretrain: Rows
    adapt: Rows
    predictions: Rows
    confusion: Rows
    embedding: Rows

    @property
    def classes(self) -> list[str]:
        """The task's classes, in the order of their numbers."""
        return list(self.card["classes"])

    @property
    def labelled(self) -> bool:
        """Whether any test video has a label of the task's classes."""
        return self.metrics["labelled_test_videos"] > 0

    @property
    def test(self) -> list[Row]:
        """The predictions for test videos, a row a seed and video."""
        return [row for row in self.predictions if row["split"] == "test"]


def figures(results: Results) -> dict[str, str]:
    """All figures as SVG text, by file name without suffix, in the order of the page."""
    drawn: dict[str, str] = {}
    if results.labelled:
        both = [_accuracy(results.metrics[model]) for model in MODELS]
        oracle = results.metrics["adapted"]["oracle"]
        drawn["accuracy"] = plots.accuracies("accuracy", both[0], both[1], oracle)
        for model in MODELS:
            pairs = [(row["actual"], row[model]) for row in results.confusion]
            name = f"confusion_{model}"
            drawn[name] = plots.confusion(name, _title(model), pairs, results.classes)
    title = "Accuracy by class" if results.labelled else "Share of the videos predicted as"
    drawn["classes"] = plots.class_bars("classes", title, _by_class(results))
    for model in MODELS:
        if points := _points(results, model):
            name = f"embedding_{model}"
            drawn[name] = plots.embedding(name, _title(model), points, results.classes)
    for stage, log in (("pretrain", results.pretrain), ("adapt", results.adapt)):
        for column, runs in _curves(log).items():
            name = f"{stage}_{column}"
            drawn[name] = plots.curve(name, entry(column).title, runs)
    return drawn


def page(results: Results, drawn: Mapping[str, str]) -> str:
    """The page; `drawn` are the figures of these results."""
    pretrain, adapt = (results.card["training"][stage] for stage in ("pretrain", "adapt"))
    before, after = (results.metrics[model] for model in MODELS)
    template = _environment().get_template("report.html")
    return template.render(
        results=results,
        source=pretrain["source"],
        target=adapt["target"],
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
        doubts=_doubts(results),
        parameters=_parameters(results.card),
        figures={name: Markup(text) for name, text in drawn.items()},
        glossary=_glossary(results),
    )


def _environment() -> Environment:
    environment = html.environment()
    environment.filters |= {"percent": _percent, "points": _points_of, "score": _score}
    environment.globals |= {"entry": entry, "models": MODELS}
    return environment


def _doubts(results: Results) -> list[Doubt]:
    """Confident mistakes; without labels, unsure predictions."""
    return mistakes(results.test, results.classes) if results.labelled else unsure(results.test)


def _accuracy(scores: Mapping[str, Any]) -> plots.Accuracy:
    low, high = scores["accuracy_low"], scores["accuracy_high"]
    return plots.Accuracy(scores["accuracy"], low, high, list(scores["seeds"].values()))


def _gains(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, float]:
    """What adaptation added to each seed's accuracy; empty without labels."""
    old = before.get("seeds", {})
    return {seed: value - old[seed] for seed, value in after.get("seeds", {}).items()}


def _by_class(results: Results) -> dict[str, tuple[float, float]]:
    """Each class's accuracy before and after; without labels, its share of the predictions."""
    if results.labelled:
        old, new = (results.metrics[model]["per_class"] for model in MODELS)
        return {name: (old[name], new[name]) for name in old}
    old, new = (Counter(row[model] for row in results.test) for model in MODELS)
    count = len(results.test)
    return {name: (old[name] / count, new[name] / count) for name in results.classes}


def _class_rows(results: Results) -> list[tuple[int, str, int, tuple[float, float] | None]]:
    """Number, name, labelled test videos and `_by_class` (None: no such video) of each class."""
    rates = _by_class(results)
    rows, seeds = Counter(row["actual"] for row in results.confusion), len(results.card["seeds"])
    return [
        (number, name, rows[name] // seeds, rates.get(name))
        for number, name in enumerate(results.classes)
    ]


def _videos(results: Results) -> Counter[str]:
    """How many videos of the target each split has."""
    first = results.predictions[0]["seed"]
    return Counter(row["split"] for row in results.predictions if row["seed"] == first)


def _points(results: Results, model: str) -> list[plots.Point]:
    """A model's t-SNE points by label; by what it predicts where the target has no labels."""
    seed = results.predictions[0]["seed"]
    said = {row["key"]: row[model] for row in results.test if row["seed"] == seed}
    return [
        plots.Point(
            float(row["x"]), float(row["y"]), row["label"] if results.labelled else said[row["key"]]
        )
        for row in results.embedding
        if row["model"] == model
    ]


def _curves(log: Rows) -> dict[str, Mapping[str, plots.Series]]:
    """Each number of a log by seed and epoch, if any seed has two epochs of it or more."""
    curves: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in log:
        for column in row.keys() - {"seed", "epoch"}:
            if row[column]:
                curves[column][row["seed"]][int(row["epoch"])] = float(row[column])
    columns = [column for column in log[0] if column in curves]
    return {c: curves[c] for c in columns if any(len(run) > 1 for run in curves[c].values())}


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
    spoken = {*after, *after["label_free"], *_curves(results.pretrain), *_curves(results.adapt)}
    return [name for name in glossary()["scores"] | glossary()["losses"] if name in spoken]


def _title(model: str) -> str:
    return {"source_only": "Before: source-only", "adapted": "After: adapted"}[model]


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _points_of(share: float) -> str:
    points = round(100 * share, 1)
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}") if points else "0.0"


def _score(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
