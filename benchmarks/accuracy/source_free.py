"""Cells that methods of `pipeline/methods` fill, and the source models that they begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import safetensors.torch

from benchmarks.accuracy import data
from benchmarks.accuracy.data import Data
from pipeline import prediction, training
from pipeline.methods import METHODS, Weights
from pipeline.network import RelationNetwork
from pipeline.params import Adapt, Params

Models = Mapping[int, RelationNetwork]


def untrained(task: Data, p: Params, seeds: Sequence[int]) -> dict[int, RelationNetwork]:
    """Networks for the task's classes, a seed each."""
    shape = p.network.model_dump()
    return {
        seed: RelationNetwork(task.source.dim, len(task.classes), seed=seed, **shape)
        for seed in seeds
    }


def source_models(task: Data, p: Params, seeds: Sequence[int]) -> bytes:
    """Networks trained on the source, packed for `unpacked`."""
    settings = training.Settings(**p.pretrain.model_dump())
    networks = untrained(task, p, seeds)
    runs = training.pretrain(networks, task.source, task.source_labels, settings)
    return safetensors.torch.save(
        {
            f"{seed}/{name}": weight
            for seed, run in runs.items()
            for name, weight in run.model.state_dict().items()
        }
    )


def unpacked(content: bytes, networks: Models) -> Models:
    """The networks with the weights that `source_models` packed."""
    stored = safetensors.torch.load(content)
    for seed, network in networks.items():
        network.load_state_dict({name: stored[f"{seed}/{name}"] for name in network.state_dict()})
    return networks


def adapted(task: Data, models: Models, chosen: Adapt) -> dict[str, Any]:
    """Adapts source models; all rows of each seed's log, with test accuracies."""
    if chosen.statistics == "target":
        models = training.matched(models, task.target, task.train)
    weights = Weights(**{field.name: getattr(chosen, field.name) for field in fields(Weights)})
    runs = training.adapt(
        models,
        task.target,
        METHODS[chosen.method](weights),
        training.Settings(chosen.epochs, chosen.lr, chosen.batch_size),
        task.train,
        chosen.select,
    )
    return {
        str(seed): {
            "rows": [
                {**row, "accuracy": data.accuracy(predicted, task)}
                for row, predicted in zip(run.rows, run.predicted, strict=True)
            ],
            "epoch": run.epoch,
            "predicted": run.predicted[run.epoch][task.test].tolist(),
            "warnings": list(run.warnings),
        }
        for seed, run in runs.items()
    }


def supervised(task: Data, p: Params, seeds: Sequence[int]) -> dict[str, Any]:
    """Trains on the target's own labels: the upper bound."""
    settings = training.Settings(**p.pretrain.model_dump())
    rows = data.rows_of(task.supervised.keys, task.target)
    features = task.target.select(rows)
    runs = training.pretrain(untrained(task, p, seeds), features, task.supervised.numbers, settings)
    return {
        str(seed): data.measured(prediction.predict(run.model, task.target).logits, task)
        for seed, run in runs.items()
    }
