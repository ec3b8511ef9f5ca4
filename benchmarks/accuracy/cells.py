"""Stage `cells`: the cells of one task, each method with all seeds; finished ones are not repeated.

    python -m benchmarks.accuracy.cells TASK

Reads   benchmarks/accuracy.yaml, params.yaml, data/features and data/index of the two domains
Writes  benchmarks/cells/<task>.json

A cell is computed when its data, its parameters, its method's code or the training's code changed,
and else taken from the staging store; a killed run goes on at the cell where it was.
"""

import argparse
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from benchmarks.accuracy import data, spec
from pipeline import atomic, engine, params, stages, training
from pipeline.errors import UserError
from pipeline.fingerprint import file_hash, fingerprint
from pipeline.imports import reached
from pipeline.methods import METHODS, Weights
from pipeline.network import RelationNetwork
from pipeline.staging import Staging

SHARED = Path(training.__file__)
NOT_ENTERED = [Path(inspect.getfile(params)), SHARED.parent / "methods/__init__.py"]


@dataclass(frozen=True)
class Work:
    """Computes the cells of one task; a cell's name is a method, a variant, or the bound."""

    task: spec.Task
    spec: spec.Spec
    params: params.Params
    staging: Staging

    def __call__(self, name: str) -> None:
        """Computes one cell; a method that fails leaves its reason."""
        torch.set_num_threads(1)
        try:
            content = self.supervised() if name == spec.SUPERVISED else self.adapted(name)
        except UserError as fault:
            content = {"error": str(fault)}
        text = json.dumps(content, sort_keys=True)
        self.staging.write(self.fingerprint(name), text.encode())

    def fingerprint(self, name: str) -> str:
        """What a cell is made from."""
        made_from = {"data": data.digest(self.task), "source": self._training()}
        if name == spec.SUPERVISED:
            return fingerprint(cell=name, code=_code([SHARED]), **made_from)
        chosen = self.spec.adapt(name, self.params.adapt)
        own = Path(inspect.getfile(METHODS[chosen.method]))
        return fingerprint(adapt=chosen.model_dump(), code=_code([SHARED, own]), **made_from)

    def _training(self) -> dict[str, Any]:
        p = self.params
        return {
            "pretrain": p.pretrain.model_dump(),
            "network": p.network.model_dump(),
            "seeds": list(self.spec.seeds),
        }

    def adapted(self, name: str) -> dict[str, Any]:
        """Adapts the source models by a method; all rows of the log, with test accuracies."""
        task = data.load(self.task)
        chosen = self.spec.adapt(name, self.params.adapt)
        weights = Weights(**{field.name: getattr(chosen, field.name) for field in fields(Weights)})
        settings = training.Settings(chosen.epochs, chosen.lr, chosen.batch_size)
        runs = training.adapt(
            self.source_models(task),
            task.target,
            METHODS[chosen.method](weights),
            settings,
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

    def supervised(self) -> dict[str, Any]:
        """Trains on the target's own labels."""
        task = data.load(self.task)
        rows = data.rows_of(task.supervised.keys, task.target)
        runs = training.pretrain(
            self._untrained(task), task.target.select(rows), task.supervised.numbers, self._settings
        )
        said = {seed: _classes(run.model, task) for seed, run in runs.items()}
        return {
            str(seed): {
                "rows": [{"epoch": 0, "accuracy": data.accuracy(predicted, task)}],
                "epoch": 0,
                "predicted": predicted[task.test].tolist(),
                "warnings": [],
            }
            for seed, predicted in said.items()
        }

    def source_models(self, task: data.Data) -> dict[int, RelationNetwork]:
        """The source model of every seed, trained once a task."""
        networks = self._untrained(task)
        made_from = fingerprint(
            data=data.digest(self.task), code=_code([SHARED]), **self._training()
        )
        path = self.staging.path(made_from)
        if not path.exists():
            runs = training.pretrain(networks, task.source, task.source_labels, self._settings)
            self.staging.write(made_from, _packed({s: run.model for s, run in runs.items()}))
        stored = safetensors.torch.load(path.read_bytes())
        for seed, network in networks.items():
            network.load_state_dict(
                {name: stored[f"{seed}/{name}"] for name in network.state_dict()}
            )
        return networks

    @property
    def _settings(self) -> training.Settings:
        return training.Settings(**self.params.pretrain.model_dump())

    def _untrained(self, task: data.Data) -> dict[int, RelationNetwork]:
        shape = self.params.network.model_dump()
        return {
            seed: RelationNetwork(task.source.dim, len(task.classes), seed=seed, **shape)
            for seed in self.spec.seeds
        }


def _classes(model: RelationNetwork, task: data.Data) -> Tensor:
    return training.predict(model, task.target).logits.argmax(dim=1)


def _packed(models: Mapping[int, RelationNetwork]) -> bytes:
    return safetensors.torch.save(
        {
            f"{seed}/{name}": weight
            for seed, model in models.items()
            for name, weight in model.state_dict().items()
        }
    )


def _code(files: list[Path]) -> list[str]:
    """Hashes of the files, and of all that they run."""
    return sorted(file_hash(path) for path in reached(files, NOT_ENTERED))


def main() -> None:
    """Computes what is missing of a task, then writes all its cells."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.cells")
    parser.add_argument("task")
    chosen, p = spec.load()
    task = chosen.task(parser.parse_args().task)
    staging = Staging("benchmark", task.name)
    work = Work(task, chosen, p, staging)
    names = [*dict.fromkeys(chosen.methods), spec.SUPERVISED]
    with staging.lock():
        loaded = data.load(task)
        work.source_models(loaded)
        todo = [name for name in names if not staging.path(work.fingerprint(name)).exists()]
        print(
            f"benchmark {task.name}: {len(todo)} cells to do, {len(names) - len(todo)} done before"
        )
        failures = engine.run(work, todo, label=task.name, workers=p.engine.workers)
        if failures:
            lines = [f"  {failure.item}: {failure.reason}" for failure in failures]
            raise UserError("\n".join([f"benchmark {task.name}: cells failed", *lines]))
        cells = {
            name: json.loads(staging.path(work.fingerprint(name)).read_bytes()) for name in names
        }
    content = {
        "task": task.model_dump(),
        "classes": list(loaded.classes),
        "labels": loaded.test_labels.tolist(),
        "train_videos": len(loaded.train),
        "cells": cells,
    }
    atomic.write_file(spec.CELLS / f"{task.name}.json", json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    stages.run(main)
