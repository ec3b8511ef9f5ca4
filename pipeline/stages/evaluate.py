"""Stage `evaluate`: source and adapted models on the target -> metrics, predictions, t-SNE.

Reads   models/source, models/adapted, data/features/<target>,
        data/index/<target>/{videos,labels}.csv, results/trajectory.safetensors, params evaluate
Writes  results/metrics.json, predictions.csv, confusion.csv, embedding.csv, relations.safetensors

Accuracies are those of labelled test videos of the task's classes; a target without labels has
predictions and label-free scores.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline import (
    atomic,
    checkpoints,
    embedding,
    evaluation,
    index,
    params,
    paths,
    prediction,
    relations,
    stages,
    store,
    tables,
    trajectory,
)
from pipeline.evaluation import Predictions
from pipeline.features import Features
from pipeline.index import Video
from pipeline.labelling import Labelled, of_classes, of_split
from pipeline.network import Output, RelationNetwork
from pipeline.one_at_a_time import alone

Said = Mapping[str, Mapping[int, Output]]  # "source_only" and "adapted": what each seed says
Positions = Mapping[str, int]  # of each video's key among the rows of the outputs


def outputs(models: Mapping[int, RelationNetwork], features: Features) -> dict[int, Output]:
    """What each seed's model says of all videos."""
    return {seed: prediction.predict(model, features) for seed, model in models.items()}


def measure(
    said: Said, at: Positions, test: Sequence[Video], known: Labelled, classes: Sequence[str]
) -> dict[str, Any]:
    """The content of metrics.json, but for what looks at several epochs."""
    result: dict[str, Any] = {"test_videos": len(test), "labelled_test_videos": len(known.keys)}
    for name, by_seed in said.items():
        every = Predictions({seed: output.logits for seed, output in by_seed.items()})
        result[name] = {"label_free": every.only([at[video.key] for video in test]).label_free()}
        if known.keys:
            on_known = every.only([at[key] for key in known.keys])
            result[name] |= on_known.labelled(known.numbers) | on_known.calibrated(known.numbers)
            result[name]["seeds"] = on_known.accuracies(known.numbers)
            result[name]["per_class"] = on_known.per_class(known.numbers, classes)
    return result


def prediction_rows(
    said: Said, videos: Sequence[Video], labels: Mapping[str, str], classes: Sequence[str]
) -> list[tables.Row]:
    """A row a seed and video of the target, with both models' class and its probability."""
    rows: list[tables.Row] = []
    for seed in said["adapted"]:
        best = {
            name: by_seed[seed].logits.softmax(dim=1).max(dim=1) for name, by_seed in said.items()
        }
        for row, video in enumerate(videos):
            label = labels.get(video.key)
            cells: dict[str, tables.Cell] = {
                "seed": seed,
                "key": video.key,
                "split": video.split,
                "label": label,
            }
            for name, (share, number) in best.items():
                cells[name] = classes[int(number[row])]
                cells[f"{name}_confidence"] = float(share[row])
            rows.append(tables.rounded(cells))
    return rows


def embedding_rows(
    said: Said, at: Positions, test: Sequence[Video], labels: Mapping[str, str], most: int
) -> list[tables.Row]:
    """t-SNE points of the first seed's fused features before and after, evenly drawn videos."""
    shown = test[:: -(-len(test) // most)]
    if len(shown) < 4:
        return []
    picked = [at[video.key] for video in shown]
    rows: list[tables.Row] = []
    for name, by_seed in said.items():
        points = embedding.tsne(next(iter(by_seed.values())).fused[picked])
        for video, (x, y) in zip(shown, points.tolist(), strict=True):
            cells = {"model": name, "key": video.key, "label": labels.get(video.key, "unknown")}
            rows.append(tables.rounded({**cells, "x": x, "y": y}))
    return rows


def related_clips(said: Said, rows: Sequence[int]) -> relations.Relations:
    """The relations that the first seed's models see in these videos, mean over the layers."""
    first = {name: next(iter(by_seed.values())) for name, by_seed in said.items()}
    return {name: output.relations[rows].mean(dim=2).numpy() for name, output in first.items()}


@alone(paths.lock("evaluate"), "evaluate")
def main() -> None:
    """Runs the stage."""
    p = params.load()
    target = p.task.target
    card, source = checkpoints.load(paths.SOURCE_MODEL)
    _, adapted = checkpoints.load(paths.ADAPTED_MODEL)
    videos = index.read_videos(paths.videos(target))
    labels = index.read_labels(paths.labels(target))
    features = store.load(paths.features(target)).of([video.key for video in videos])
    said = {"source_only": outputs(source, features), "adapted": outputs(adapted, features)}
    test = of_split(videos, "test")
    known = of_classes(test, labels, card.classes)
    at = {video.key: row for row, video in enumerate(videos)}

    result = measure(said, at, test, known, card.classes)
    if known.keys:
        predicted = trajectory.load(paths.RESULTS / "trajectory.safetensors")
        rows = [at[key] for key in known.keys]
        over = evaluation.over_epochs({s: t[:, rows] for s, t in predicted.items()}, known.numbers)
        result["adapted"] |= over
    text = json.dumps(result, indent=2, ensure_ascii=False)
    atomic.write_file(paths.RESULTS / "metrics.json", text + "\n")

    predictions = prediction_rows(said, videos, labels, card.classes)
    tables.write(paths.RESULTS / "predictions.csv", predictions)
    confusion = [
        {
            "seed": r["seed"],
            "actual": r["label"],
            "source_only": r["source_only"],
            "adapted": r["adapted"],
        }
        for r in predictions
        if r["split"] == "test" and r["label"] in card.classes
    ]
    tables.write(
        paths.RESULTS / "confusion.csv", confusion, ["seed", "actual", "source_only", "adapted"]
    )
    points = embedding_rows(said, at, test, labels, p.evaluate.embedding)
    tables.write(paths.RESULTS / "embedding.csv", points, ["model", "key", "label", "x", "y"])
    related = related_clips(said, [at[video.key] for video in test])
    relations.save(paths.RESULTS / "relations.safetensors", related)
    _print(result)


def _print(result: Mapping[str, Any]) -> None:
    if not result["labelled_test_videos"]:
        print("no test video of the target has a label of the task's classes: no accuracy")
        return
    for name in ("source_only", "adapted"):
        mean, deviation = result[name]["accuracy"], result[name]["accuracy_sd"]
        spread = f" (sd {deviation:.1%})" if deviation is not None else ""
        print(f"{name.replace('_', '-')}: {mean:.1%}{spread} of the target's test videos")


if __name__ == "__main__":
    stages.run(main)
