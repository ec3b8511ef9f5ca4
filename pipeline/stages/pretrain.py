"""Stage `pretrain`: labelled source features -> a source model a seed.

Reads   data/features/<source>, data/index/<source>/{videos,labels}.csv,
        data/index/<target>/classes.csv (names alone), params seeds, task, network, pretrain
Writes  models/source (a model a seed, card.json, training.csv)
"""

from pipeline import checkpoints, index, metrics, params, paths, stages, store, tables, training
from pipeline.labelling import Labelled, of_classes, of_split, task_classes
from pipeline.network import RelationNetwork


def main() -> None:
    """Runs the stage."""
    p = params.load()
    source, target = p.task.source, p.task.target
    ours, theirs = (index.read_classes(paths.classes(domain)) for domain in (source, target))
    classes = task_classes(p.task.classes, ours, theirs)
    left_out = sorted({*ours, *theirs} - {*classes})
    print(f"classes: {', '.join(classes)}; left out: {', '.join(left_out) or 'none'}")

    videos = index.read_videos(paths.videos(source))
    labels = index.read_labels(paths.labels(source))
    train = of_classes(of_split(videos, "train"), labels, classes)
    test = of_classes(of_split(videos, "test"), labels, classes)
    features = store.load(paths.features(source))
    settings = training.Settings(**p.pretrain.model_dump())
    untrained = checkpoints.Card(
        classes, features.dim, **p.network.model_dump(), features=features.provenance
    )
    networks = {seed: untrained.new_network(seed) for seed in p.seeds}
    runs = training.pretrain(networks, features.of(train.keys), train.numbers, settings)
    accuracies = {seed: _accuracy(run.model, features, test) for seed, run in runs.items()}
    mean, deviation = metrics.mean_and_deviation(list(accuracies.values()))
    print(f"source model on {source}'s own test videos: {mean:.1%} (sd {deviation:.1%})")

    card = untrained.trained(
        "pretrain", source=source, **p.pretrain.model_dump(), test_accuracy=accuracies
    )
    rows = [tables.rounded({"seed": seed, **row}) for seed, run in runs.items() for row in run.rows]
    checkpoints.save(
        paths.SOURCE_MODEL, {seed: run.model for seed, run in runs.items()}, card, rows
    )


def _accuracy(model: RelationNetwork, features: store.Store, videos: Labelled) -> float:
    predicted = training.predict(model, features.of(videos.keys)).logits.argmax(dim=1)
    return metrics.accuracy(predicted, videos.numbers)


if __name__ == "__main__":
    stages.run(main)
