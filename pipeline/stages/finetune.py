"""Stage `finetune`: the two-stream backbone itself, trained on frames and flow, and measured.

Reads   data/frames/<domain>, data/flow/<domain>, data/index/<source>/{videos,labels,classes}.csv,
        data/index/<target>/{videos,labels,classes}.csv, models/<backbone>,
        params seeds, task, clips, finetune
Writes  models/finetuned (a model a seed, card.json, training.csv), results/finetune.json,
        results/finetune_predictions.csv (the labelled test videos)

The target's labels are those of its test videos, for the accuracy; its training videos' labels are
learnt by the method target_supervised, an upper bound, alone. A killed run goes on from its last
whole epoch, which .staging/finetune keeps.
"""

import json
from collections.abc import Mapping
from typing import Any

from pipeline import (
    atomic,
    backbones,
    checkpoints,
    engine,
    index,
    params,
    paths,
    stages,
    tables,
)
from pipeline.errors import UserError
from pipeline.evaluation import Predictions
from pipeline.finetune import measured, processes
from pipeline.finetune.frames import Cache
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Settings, Videos
from pipeline.finetune.seeds import Course, Domains
from pipeline.labelling import Labelled, of_classes, of_split, task_classes
from pipeline.staging import Staging

PREDICTED = ["seed", "key", "actual", "predicted", "confidence"]


def cache(domain: str, length: int) -> Cache:
    """The frames and the flow of a domain."""
    return Cache(paths.frames(domain), paths.flow(domain), length)


def labelled(domain: str, split: str, classes: tuple[str, ...]) -> Labelled:
    """A domain's videos of one split that have a label of the task's classes."""
    videos = of_split(index.read_videos(paths.videos(domain)), split)
    return of_classes(videos, index.read_labels(paths.labels(domain)), classes)


def domains(task: params.Task, length: int, classes: tuple[str, ...]) -> Domains:
    """What is learnt from, and what is tested on."""
    source, target = (cache(name, length) for name in (task.source, task.target))
    known = labelled(task.source, "train", classes)
    bound = labelled(task.target, "train", classes)
    test = labelled(task.target, "test", classes)
    unlabelled = of_split(index.read_videos(paths.videos(task.target)), "train")
    return Domains(
        source=(Videos(source, known.keys), known.numbers),
        bound=(Videos(target, bound.keys), bound.numbers),
        target=Videos(target, [video.key for video in unlabelled]),
        test=(Videos(target, test.keys), test.numbers),
    )


def settings(section: params.Finetune, workers: int) -> Settings:
    """How the runs descend."""
    return Settings(
        section.epochs,
        section.lr,
        section.batch_size,
        weight_decay=section.weight_decay,
        drop_at=section.drop_at,
        crop=section.crop,
        mirror=section.mirror,
        statistics=section.statistics,
        workers=workers,
    )


def main() -> None:
    """Runs the stage."""
    p = params.load()
    source, target = p.task.source, p.task.target
    _require_videos(source, target)
    names = [index.read_classes(paths.classes(domain)) for domain in (source, target)]
    classes = task_classes(p.task.classes, *names)
    learnt = domains(p.task, p.clips.frames, classes)
    provenance = learnt.source[0].cache.provenance()
    if learnt.target.cache.provenance() != provenance:
        raise UserError(f"the frames of {source} and {target} were not made alike; run `dvc repro`")
    weights = paths.backbone(p.finetune.backbone)
    with processes.joined() as device:
        course = Course(
            section=p.finetune,
            settings=settings(p.finetune, p.engine.workers or engine.cores()),
            domains=learnt,
            classes=classes,
            weights=weights,
            made_from={**provenance, "backbone_sha256": backbones.digest(weights)},
            device=device,
            staging=Staging("finetune", f"{source}-{target}"),
        )
        with course.staging.lock(f"-{processes.rank()}"):
            runs = {seed: course.trained(seed) for seed in p.seeds}
            if processes.rank() == 0:
                _write(course, runs, p.task)
                course.staging.prune(keep=())


def _require_videos(*names: str) -> None:
    for domain in names:
        videos = index.read_videos(paths.videos(domain))
        if index.is_model(videos) or index.all_imported(videos):
            raise UserError(
                f"finetune: {domain} has no videos, and this stage trains on frames; take a method "
                "of features (adapt.method, or joint.method)"
            )


def _write(
    course: Course,
    runs: Mapping[int, tuple[TwoStream, list[dict[str, float]]]],
    task: params.Task,
) -> None:
    section, (test, labels) = course.section, course.domains.test
    how = {"source": task.source, "target": task.target, **section.model_dump()}
    logs = {seed: log for seed, (_, log) in runs.items()}
    models = {seed: network for seed, (network, _) in runs.items()}
    rows = [tables.rounded({"seed": seed, **row}) for seed, log in logs.items() for row in log]
    checkpoints.save(paths.FINETUNED_MODEL, models, course.card.trained("finetune", **how), rows)
    result = {
        "method": section.method,
        "backbone": section.backbone,
        "labelled_test_videos": len(test.keys),
        "evaluations": section.evaluations,
    }
    predictions: list[tables.Row] = []
    if test.keys:
        said = Predictions({seed: course.tested(network) for seed, network in models.items()})
        result |= measured.numbers(logs, said, labels, course.classes)
        predictions = measured.rows(said, test.keys, labels, course.classes)
    tables.write(paths.RESULTS / "finetune_predictions.csv", predictions, PREDICTED)
    text = json.dumps(result, indent=2, ensure_ascii=False)
    atomic.write_file(paths.RESULTS / "finetune.json", text + "\n")
    _print(result)


def _print(result: Mapping[str, Any]) -> None:
    if not result["labelled_test_videos"]:
        print("no test video of the target has a label of the task's classes: no accuracy")
        return
    mean, deviation = result["accuracy"], result["accuracy_sd"]
    spread = f" (sd {deviation:.1%})" if deviation is not None else ""
    print(f"{result['method']}: {mean:.1%}{spread} of the target's test videos")


if __name__ == "__main__":
    stages.run(main, "interrupted: finished epochs are kept; the next run goes on from here")
