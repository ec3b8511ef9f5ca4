"""How much of the gap between source-only and target-supervised does adaptation close?

    python -m benchmarks.gap [--seeds 5] [--methods mtran shot] [--lr 0.01 0.001] [--lambda1 3 1]

Runs on the features of params.yaml's task (after `dvc repro`). For every seed it trains a source
model and, with the target's training labels, the supervised bound; then it adapts with every
combination asked for. Methods that see the source (pipeline/joint) train anew, with the settings of
the section `joint`, whatever --lr and --lambda1. Accuracy is that of the last epoch on the target's
test videos: mean and standard deviation over the seeds. "closed" is
(adapted - source) / (supervised - source).
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import fields

from pipeline import checkpoints, index, metrics, params, paths, prediction, store, training
from pipeline.features import Features
from pipeline.joint import JOINT_METHODS, JointData, JointMethod, JointWeights
from pipeline.joint import training as joint_training
from pipeline.joint.shape import Shape
from pipeline.labelling import Labelled, of_classes, of_split, task_classes
from pipeline.methods import METHODS, Weights
from pipeline.network import RelationNetwork


def arguments() -> argparse.Namespace:
    p = params.load()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--methods", nargs="+", default=[p.adapt.method], choices=[*METHODS, *JOINT_METHODS]
    )
    parser.add_argument("--lr", nargs="+", type=float, default=[p.adapt.lr])
    parser.add_argument("--lambda1", nargs="+", type=float, default=[p.adapt.lambda1])
    return parser.parse_args()


def labelled(domain: str, split: str, classes: tuple[str, ...]) -> Labelled:
    """A domain's labelled videos of one split."""
    videos = of_split(index.read_videos(paths.videos(domain)), split)
    return of_classes(videos, index.read_labels(paths.labels(domain)), classes)


def accuracy(model: RelationNetwork, features: Features, videos: Labelled) -> float:
    return metrics.accuracy(
        prediction.predict(model, features).logits.argmax(dim=1), videos.numbers
    )


def adaptations(
    p: params.Params, options: argparse.Namespace
) -> Iterator[tuple[str, Weights, training.Settings]]:
    """Every combination asked for: its name, weights and settings."""
    chosen = [name for name in options.methods if name in METHODS]
    base = {field.name: getattr(p.adapt, field.name) for field in fields(Weights)}
    for name, lr, lambda1 in itertools.product(chosen, options.lr, options.lambda1):
        settings = training.Settings(p.adapt.epochs, lr, p.adapt.batch_size)
        yield name, Weights(**{**base, "lambda1": lambda1}), settings


def joint_accuracies(
    p: params.Params,
    card: checkpoints.Card,
    method: JointMethod,
    data: JointData,
    seeds: int,
    tested: tuple[Features, Labelled],
) -> list[float]:
    """Each seed's accuracy after training on both domains at once."""
    shape = Shape(card.dim, len(card.classes), data.source.clips, card.layers, card.dropout)
    networks = {seed: method.network(shape, seed) for seed in range(seeds)}
    settings = training.Settings(p.joint.epochs, p.joint.lr, p.joint.batch_size)
    features, videos = tested
    said = [
        joint_training.predict(run.model, features).logits
        for run in joint_training.fit(networks, data, method, settings).values()
    ]
    return [metrics.accuracy(logits.argmax(dim=1), videos.numbers) for logits in said]


def line(name: str, values: list[float], low: float = 0.0, high: float = 0.0) -> None:
    mean, deviation = metrics.mean_and_deviation(values)
    closed = f"  closed {(mean - low) / (high - low):6.1%}" if high > low else ""
    each = " ".join(f"{value:.1%}" for value in values)
    print(f"{name:<42} {mean:6.1%} (sd {deviation:5.1%}){closed}   {each}", flush=True)


def main() -> None:
    options = arguments()
    p = params.load()
    source, target = p.task.source, p.task.target
    names = [index.read_classes(paths.classes(domain)) for domain in (source, target)]
    classes = task_classes(p.task.classes, *names)
    ours, theirs = (store.load(paths.features(domain)) for domain in (source, target))
    source_train = labelled(source, "train", classes)
    target_train, test = (labelled(target, split, classes) for split in ("train", "test"))
    unlabelled = [v.key for v in of_split(index.read_videos(paths.videos(target)), "train")]
    tested = theirs.of(test.keys)
    card = checkpoints.Card(classes, ours.dim, **p.network.model_dump(), features=ours.provenance)
    settings = training.Settings(**p.pretrain.model_dump())

    def supervised(features: Features, videos: Labelled) -> dict[int, RelationNetwork]:
        start = {seed: card.new_network(seed) for seed in range(options.seeds)}
        runs = training.pretrain(start, features, videos.numbers, settings)
        return {seed: run.model for seed, run in runs.items()}

    models = supervised(ours.of(source_train.keys), source_train)
    best = supervised(theirs.of(target_train.keys), target_train)
    bound = [accuracy(model, tested, test) for model in best.values()]
    source_test = labelled(source, "test", classes)
    line(
        f"{source} on itself",
        [accuracy(m, ours.of(source_test.keys), source_test) for m in models.values()],
    )
    before = [accuracy(model, tested, test) for model in models.values()]
    line("source-only", before)
    line("target-supervised", bound)
    low, high = (metrics.mean_and_deviation(values)[0] for values in (before, bound))
    for name, weights, chosen in adaptations(p, options):
        method = METHODS[name](weights)
        runs = training.adapt(models, theirs.of(unlabelled), method, chosen)
        after = [accuracy(run.model, tested, test) for run in runs.values()]
        line(f"{name} lr {chosen.lr:g} lambda1 {weights.lambda1:g}", after, low, high)

    target_data = theirs.of(unlabelled)
    source_data = JointData(ours.of(source_train.keys), source_train.numbers, target_data)
    bound_data = JointData(theirs.of(target_train.keys), target_train.numbers, target_data)
    for name in (name for name in options.methods if name in JOINT_METHODS):
        joint = JOINT_METHODS[name](JointWeights(p.joint.lambda_, p.joint.tau, p.joint.threshold))
        data = bound_data if joint.learns_from == "target" else source_data
        after = joint_accuracies(p, card, joint, data, options.seeds, (tested, test))
        line(f"{name}, sees the source, lr {p.joint.lr:g}", after, low, high)


if __name__ == "__main__":
    main()
