"""All figures of the report, out of what the stages before it left."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from pipeline import doubts, heat_maps, plots, reliability
from pipeline.doubts import Rows
from pipeline.glossary import entry
from pipeline.results import MODELS, Results

RELATED = 4  # videos whose clips' relations are drawn


def figures(results: Results) -> dict[str, str]:
    """All figures as SVG text, by file name without suffix, in the order of the page."""
    drawn = _of_labels(results) if results.labelled else {}
    title = "Accuracy by class" if results.labelled else "Share of the videos predicted as"
    drawn["classes"] = plots.class_bars("classes", title, by_class(results))
    drawn |= _planes(results) | _relations(results)
    for stage, log in (("pretrain", results.pretrain), ("adapt", results.adapt)):
        for column, runs in curves(log).items():
            name = f"{stage}_{column}"
            drawn[name] = plots.curve(name, entry(column).title, runs)
    return drawn


def _of_labels(results: Results) -> dict[str, str]:
    """What can be drawn where test videos have labels."""
    both = [_accuracy(results.metrics[model]) for model in MODELS]
    oracle = results.metrics["adapted"]["oracle"]
    drawn = {"accuracy": plots.accuracies("accuracy", both[0], both[1], oracle)}
    for model in MODELS:
        pairs = [(row["actual"], row[model]) for row in results.confusion]
        name = f"confusion_{model}"
        drawn[name] = plots.confusion(name, _title(model), pairs, results.classes)
    old, new = (reliability.bins(_sureness(results, model)) for model in MODELS)
    drawn["reliability"] = reliability.reliability("reliability", "Reliability", old, new)
    return drawn


def _planes(results: Results) -> dict[str, str]:
    """t-SNE pictures by class; of both domains, by domain too, where the source can be seen."""
    drawn: dict[str, str] = {}
    for model in MODELS:
        if both := [row for row in results.domains if row["model"] == model]:
            name, domains = f"domains_{model}", [results.source, results.target]
            points = [plots.Point(float(r["x"]), float(r["y"]), r["domain"]) for r in both]
            drawn[name] = plots.embedding(name, _title(model), points, domains)
        if points := _points(results, model):
            name = f"embedding_{model}"
            drawn[name] = plots.embedding(name, _title(model), points, results.classes)
    return drawn


def _relations(results: Results) -> dict[str, str]:
    """How the clips of a few videos are related; nothing where a video has one clip."""
    keys = list(results.of_first_seed)
    if results.relations["adapted"].shape[-1] < 2:
        return {}
    drawn: dict[str, str] = {}
    for number, key in enumerate(doubts.close_ups(results.test, results.classes)[:RELATED], 1):
        before, after = (results.relations[model][keys.index(key)] for model in MODELS)
        name = f"relations_{number}"
        drawn[name] = heat_maps.relations(name, key, before, after)
    return drawn


def _accuracy(scores: Mapping[str, Any]) -> plots.Accuracy:
    low, high = scores["accuracy_low"], scores["accuracy_high"]
    return plots.Accuracy(scores["accuracy"], low, high, list(scores["seeds"].values()))


def _sureness(results: Results, model: str) -> list[tuple[float, bool]]:
    """Confidence and whether it is right, of each labelled test video with each seed."""
    return [
        (float(row[f"{model}_confidence"]), row[model] == row["label"])
        for row in results.test
        if row["label"] in results.classes
    ]


def by_class(results: Results) -> dict[str, tuple[float, float]]:
    """Each class's accuracy before and after; without labels, its share of the predictions."""
    if results.labelled:
        old, new = (results.metrics[model]["per_class"] for model in MODELS)
        return {name: (old[name], new[name]) for name in old}
    old, new = (Counter(row[model] for row in results.test) for model in MODELS)
    count = len(results.test)
    return {name: (old[name] / count, new[name] / count) for name in results.classes}


def _points(results: Results, model: str) -> list[plots.Point]:
    """A model's t-SNE points by label; by what it predicts where the target has no labels."""
    said = results.of_first_seed
    return [
        plots.Point(
            float(row["x"]),
            float(row["y"]),
            row["label"]
            if results.labelled or row.get("domain") == results.source
            else said[row["key"]][model],
        )
        for row in results.domains or results.embedding
        if row["model"] == model
    ]


def curves(log: Rows) -> dict[str, Mapping[str, plots.Series]]:
    """Each number of a log by seed and epoch, if any seed has two epochs of it or more."""
    curves: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in log:
        for column in row.keys() - {"seed", "epoch"}:
            if row[column]:
                curves[column][row["seed"]][int(row["epoch"])] = float(row[column])
    columns = [column for column in log[0] if column in curves]
    return {c: curves[c] for c in columns if any(len(run) > 1 for run in curves[c].values())}


def _title(model: str) -> str:
    return {"source_only": "Before: source-only", "adapted": "After: adapted"}[model]
