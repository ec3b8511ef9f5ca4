"""Stage `adapt`: source model and unlabelled target features -> an adapted model a seed.

Reads   models/source, data/features/<target>, data/index/<target>/videos.csv, params adapt;
        nothing of the source's data, and no label
Writes  models/adapted (a model a seed, card.json, training.csv), results/adapt_mean.csv,
        results/trajectory.safetensors (what each epoch's model predicts)
"""

import sys
from dataclasses import fields

from pipeline import (
    checkpoints,
    index,
    params,
    paths,
    stages,
    store,
    tables,
    training,
    trajectory,
)
from pipeline.labelling import of_split
from pipeline.methods import METHODS, Weights
from pipeline.one_at_a_time import alone


@alone(paths.lock("adapt"), "adapt")
def main() -> None:
    """Runs the stage."""
    p = params.load()
    target = p.task.target
    card, models = checkpoints.load(paths.SOURCE_MODEL)
    stored = store.load(paths.features(target))
    card.require_features(stored.provenance, paths.features(target))
    videos = index.read_videos(paths.videos(target))
    features = stored.of([video.key for video in videos])
    learnt = {video.key for video in of_split(videos, "train")}
    train = [row for row, key in enumerate(features.keys) if key in learnt]
    weights = Weights(**{field.name: getattr(p.adapt, field.name) for field in fields(Weights)})
    if p.adapt.statistics == "target":
        models = training.matched(models, features, train)
    settings = training.Settings(p.adapt.epochs, p.adapt.lr, p.adapt.batch_size)
    method = METHODS[p.adapt.method](weights)
    runs = training.adapt(models, features, method, settings, train, p.adapt.select)
    for seed, run in runs.items():
        for warning in run.warnings:
            print(f"warning: seed {seed}: {warning}", file=sys.stderr)

    warnings = {seed: list(run.warnings) for seed, run in runs.items()}
    epochs = {seed: run.epoch for seed, run in runs.items()}
    adapted = card.trained(
        "adapt", target=target, **p.adapt.model_dump(), epoch_of_seed=epochs, warnings=warnings
    )
    rows = [tables.rounded({"seed": seed, **row}) for seed, run in runs.items() for row in run.rows]
    checkpoints.save(
        paths.ADAPTED_MODEL, {seed: run.model for seed, run in runs.items()}, adapted, rows
    )
    tables.write(paths.RESULTS / "adapt_mean.csv", tables.mean_over_seeds(rows))
    predicted = {seed: run.predicted for seed, run in runs.items()}
    trajectory.save(paths.RESULTS / "trajectory.safetensors", predicted)


if __name__ == "__main__":
    stages.run(main)
