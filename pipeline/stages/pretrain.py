"""Stage `pretrain`: labelled source features -> a source model a seed.

Reads   data/features/<source>, data/index/<source>/{videos,labels}.csv,
        data/index/<target>/classes.csv (names alone), params seeds, task, network, pretrain
Writes  models/source (a model a seed, card.json, training.csv)

A model that was received from somebody else stands in data/features/<source>, and is checked and
put in place instead.
"""

import sys
from collections.abc import Mapping, Sequence

from pipeline import (
    checkpoints,
    index,
    metrics,
    params,
    paths,
    prediction,
    stages,
    store,
    tables,
    training,
)
from pipeline.handover import received
from pipeline.index import Video
from pipeline.labelling import (
    Labelled,
    of_classes,
    of_split,
    require_classes_of_model,
    require_every_class,
    task_classes,
)
from pipeline.one_at_a_time import alone


@alone(paths.lock("pretrain"), "pretrain")
def main() -> None:
    """Runs the stage."""
    p = params.load()
    videos = index.read_videos(paths.videos(p.task.source))
    if index.is_model(videos):
        take_over(p)
    else:
        train_anew(p, videos)


def take_over(p: params.Params) -> None:
    """Puts a received model in place, if it fits the task."""
    card, models, log = received.load(paths.features(p.task.source))
    theirs = index.read_classes(paths.classes(p.task.target))
    require_classes_of_model(card.classes, p.task.classes, theirs)
    _tell(card.classes, card.classes, theirs, p.task.target)
    if theirs and (absent := sorted(set(card.classes) - set(theirs))):
        print(f"no label of the target says {', '.join(absent)}; the model may say so all the same")
    checkpoints.save(paths.SOURCE_MODEL, models, card, log)


def train_anew(p: params.Params, videos: Sequence[Video]) -> None:
    """Trains a source model a seed on the source's labelled videos."""
    source, target = p.task.source, p.task.target
    ours, theirs = (index.read_classes(paths.classes(domain)) for domain in (source, target))
    classes = task_classes(p.task.classes, ours, theirs)
    _tell(classes, ours, theirs, target)

    labels = index.read_labels(paths.labels(source))
    train = of_classes(of_split(videos, "train"), labels, classes)
    require_every_class(train, classes, source)
    test = of_classes([video for video in videos if video.split == "test"], labels, classes)
    features = store.load(paths.features(source))
    settings = training.Settings(**p.pretrain.model_dump())
    untrained = checkpoints.Card(
        classes, features.dim, **p.network.model_dump(), features=features.provenance
    )
    networks = {seed: untrained.new_network(seed) for seed in p.seeds}
    runs = training.pretrain(networks, features.of(train.keys), train.numbers, settings)
    accuracies = _accuracies(runs, features, test, source)
    card = untrained.trained(
        "pretrain", source=source, **p.pretrain.model_dump(), test_accuracy=accuracies
    )
    rows = [tables.rounded({"seed": seed, **row}) for seed, run in runs.items() for row in run.rows]
    checkpoints.save(
        paths.SOURCE_MODEL, {seed: run.model for seed, run in runs.items()}, card, rows
    )


def _tell(classes: Sequence[str], ours: Sequence[str], theirs: Sequence[str], target: str) -> None:
    """Says which classes are told apart, and what becomes of the others."""
    print(f"classes: {', '.join(classes)}")
    if unused := sorted(set(ours) - set(classes)):
        print(f"left out of the source: {', '.join(unused)}")
    if foreign := sorted(set(theirs) - set(classes)):
        print(
            f"warning: {target} has videos of classes that the task does not tell apart "
            f"({', '.join(foreign)}). Adaptation sees no label, so it learns from them too; "
            f"domains.{target}.classes leaves them out",
            file=sys.stderr,
        )


def _accuracies(
    runs: Mapping[int, training.Trained], features: store.Store, test: Labelled, source: str
) -> dict[int, float]:
    """Accuracy of each seed's model on the source's own test videos; {} if it has none."""
    if not test.keys:
        print(f"{source} has no test video of these classes: the source model stays unmeasured")
        return {}
    tested = features.of(test.keys)
    accuracies = {
        seed: metrics.accuracy(
            prediction.predict(run.model, tested).logits.argmax(dim=1), test.numbers
        )
        for seed, run in runs.items()
    }
    mean, deviation = metrics.mean_and_deviation(list(accuracies.values()))
    spread = f" (sd {deviation:.1%})" if len(accuracies) > 1 else ""
    print(f"source model on {source}'s own test videos: {mean:.1%}{spread}")
    return accuracies


if __name__ == "__main__":
    stages.run(main)
