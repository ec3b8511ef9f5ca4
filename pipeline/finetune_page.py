"""The page of stage `finetune`: how the backbone learnt, and what it has right on the target."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from markupsafe import Markup
from pydantic import Field

from pipeline import html, paths, plots
from pipeline.checked_files import AGAIN, Accuracies, Form, Row, Share, json_file, log, table
from pipeline.doubts import Rows
from pipeline.errors import UserError
from pipeline.figures import curves
from pipeline.glossary import entry, glossary

CARD, METRICS = paths.FINETUNED_MODEL / "card.json", paths.RESULTS / "finetune.json"
PREDICTIONS = paths.RESULTS / "finetune_predictions.csv"


class _Finetuned(Form):
    source: str
    target: str
    method: str
    test_windows: int


class _Training(Form):
    finetune: _Finetuned


class _Card(Form):
    classes: Annotated[list[str], Field(min_length=1)]
    seeds: Annotated[list[int], Field(min_length=1)]
    backbone: str
    statistics: str
    training: _Training


class _Metrics(Form):
    labelled_test_videos: Annotated[int, Field(ge=0)]
    evaluations: Annotated[int, Field(ge=1)]


class _Measured(_Metrics, Accuracies):
    """Where test videos have labels."""


class _Predicted(Row):
    seed: int
    key: str
    actual: str
    predicted: str
    confidence: Share


class Finetuned(NamedTuple):
    """What stage `finetune` left."""

    card: Mapping[str, Any]
    metrics: Mapping[str, Any]
    log: Rows
    predictions: Rows

    @property
    def classes(self) -> list[str]:
        """The task's classes, in the order of their numbers."""
        return list(self.card["classes"])


def read() -> Finetuned:
    """Reads the files.

    Raises UserError: a file is missing, damaged, or of another run than the others.
    """
    metrics = json_file(METRICS, _Metrics)
    if metrics["labelled_test_videos"]:
        metrics = json_file(METRICS, _Measured)
    found = Finetuned(
        json_file(CARD, _Card),
        metrics,
        log(paths.FINETUNED_MODEL / "training.csv"),
        table(PREDICTIONS, _Predicted),
    )
    names = {row[name] for row in found.predictions for name in ("actual", "predicted")}
    strangers = sorted((names | metrics.get("per_class", {}).keys()) - {*found.classes})
    count = metrics["labelled_test_videos"] * len(found.card["seeds"])
    if strangers or len(found.predictions) != count:
        what = f"class {strangers[0]!r:.99}" if strangers else f"{len(found.predictions)} rows"
        raise UserError(
            f"{PREDICTIONS}: {what}, and {CARD} and {METRICS} say {len(found.classes)} classes and "
            f"{count} rows; the files are of several runs, or damaged: {AGAIN}"
        )
    return found


def figures(found: Finetuned) -> dict[str, str]:
    """The figures as SVG text, by file name without suffix."""
    drawn = {}
    if pairs := [(row["actual"], row["predicted"]) for row in found.predictions]:
        drawn["confusion"] = plots.confusion("confusion", "Fine-tuned", pairs, found.classes)
    for column, runs in curves(found.log).items():
        drawn[f"curve_{column}"] = plots.curve(f"curve_{column}", entry(column).title, runs)
    return drawn


def page(found: Finetuned, drawn: Mapping[str, str]) -> str:
    """The page; `drawn` are its figures."""
    environment = html.environment()
    environment.filters["percent"] = "{:.1%}".format
    environment.globals["entry"] = entry
    how = found.card["training"]["finetune"]
    spoken = {*found.metrics, *curves(found.log)}
    return environment.get_template("finetune.html").render(
        card=found.card,
        metrics=found.metrics,
        how=how,
        videos=Counter(row["actual"] for row in found.predictions),
        figures={name: Markup(text) for name, text in drawn.items()},
        glossary=[n for n in glossary()["scores"] | glossary()["losses"] if n in spoken],
    )
