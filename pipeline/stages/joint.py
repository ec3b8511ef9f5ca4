"""Stage `joint`: networks trained on labelled source and unlabelled target at once, and measured.

Reads   data/features/<source>, data/features/<target>, data/index/<source>/{videos,labels}.csv,
        data/index/<target>/{videos,labels,classes}.csv, params seeds, task, network, joint
Writes  models/joint (a model a seed, card.json, training.csv), results/joint.json

The target's labels are those of its test videos, for the accuracy; its training videos' labels are
read for the method target_supervised, an upper bound, alone.
"""

import json
from collections.abc import Sequence

from pipeline import atomic, checkpoints, index, metrics, params, paths, stages, store, tables
from pipeline.descent import Settings
from pipeline.errors import UserError
from pipeline.features import Features
from pipeline.joint import JOINT_METHODS, JointData, JointMethod, JointWeights
from pipeline.joint.card import JointCard
from pipeline.joint.shape import JointNetwork
from pipeline.joint.training import fit, predict
from pipeline.joint.windows import of_windows
from pipeline.labelling import Labelled, of_classes, of_split, task_classes
from pipeline.one_at_a_time import alone


def labelled(domain: str, split: str, classes: tuple[str, ...]) -> Labelled:
    """A domain's videos of one split that have a label of the task's classes."""
    videos = of_split(index.read_videos(paths.videos(domain)), split)
    return of_classes(videos, index.read_labels(paths.labels(domain)), classes)


def learnt(method: JointMethod, task: params.Task, classes: tuple[str, ...]) -> JointData:
    """What the method learns from: the labelled videos of the domain that it names, and more."""
    domain = task.target if method.learns_from == "target" else task.source
    known = labelled(domain, "train", classes)
    unlabelled = of_split(index.read_videos(paths.videos(task.target)), "train")
    target = windowed(task.target, [video.key for video in unlabelled])
    return JointData(windowed(domain, known.keys), known.numbers, target)


def windowed(domain: str, keys: Sequence[str]) -> Features:
    """The features of a domain's videos, with their windows where there are several a segment."""
    return of_windows(keys, *store.load(paths.features(domain)).windows(keys))


def accuracy(model: JointNetwork, features: Features, videos: Labelled) -> float:
    """Share of the videos that the model predicts right."""
    return metrics.accuracy(predict(model, features).logits.argmax(dim=1), videos.numbers)


@alone(paths.lock("joint"), "joint")
def main() -> None:
    """Runs the stage."""
    p = params.load()
    source, target = p.task.source, p.task.target
    if index.is_model(index.read_videos(paths.videos(source))):
        raise UserError(
            f"joint: {source} is a received model without the source's videos, which these methods "
            "see; take one of adapt.method"
        )
    names = [index.read_classes(paths.classes(domain)) for domain in (source, target)]
    classes = task_classes(p.task.classes, *names)
    method = JOINT_METHODS[p.joint.method](
        JointWeights(p.joint.lambda_, p.joint.tau, p.joint.threshold)
    )
    stored = store.load(paths.features(source))
    card = JointCard(
        classes,
        stored.dim,
        **p.network.model_dump(),
        features=stored.provenance,
        method=p.joint.method,
        clips=stored.rgb.shape[1],
    )
    theirs = store.load(paths.features(target))
    card.require_features(theirs.provenance, paths.features(target))
    networks = {seed: card.new_network(seed) for seed in p.seeds}
    settings = Settings(p.joint.epochs, p.joint.lr, p.joint.batch_size)
    runs = fit(networks, learnt(method, p.task, classes), method, settings)

    trained = card.trained("joint", source=source, target=target, **p.joint.model_dump())
    rows = [tables.rounded({"seed": seed, **row}) for seed, run in runs.items() for row in run.rows]
    models = {seed: run.model for seed, run in runs.items()}
    checkpoints.save(paths.JOINT_MODEL, models, trained, rows)
    test = labelled(target, "test", classes)
    tested = theirs.of(test.keys)
    _report(p.joint.method, {seed: accuracy(m, tested, test) for seed, m in models.items()}, test)


def _report(method: str, accuracies: dict[int, float], test: Labelled) -> None:
    mean, deviation = metrics.mean_and_deviation(list(accuracies.values()))
    result = {
        "method": method,
        "labelled_test_videos": len(test.keys),
        "accuracy": mean,
        "accuracy_sd": deviation if len(accuracies) > 1 else None,
        "seeds": accuracies,
    }
    atomic.write_file(paths.RESULTS / "joint.json", json.dumps(result, indent=2) + "\n")
    print(f"{method}: {mean:.1%} (sd {deviation:.1%}) of the target's test videos")


if __name__ == "__main__":
    stages.run(main)
