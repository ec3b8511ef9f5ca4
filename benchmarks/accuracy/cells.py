"""Stage `cells`: the cells of one task, each method with all seeds; finished ones are not repeated.

    python -m benchmarks.accuracy.cells TASK [--spec benchmarks/accuracy.yaml] [--out FOLDER]

Reads   the benchmark's file, params.yaml, data/features and data/index of the two domains
Writes  benchmarks/cells/<task>.json

A cell is computed when its data, its parameters, its method's code or the training's code changed,
and else taken from the staging store; a killed run goes on at the cell where it was.
"""

import argparse
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from benchmarks.accuracy import data, source_free, spec, with_source
from pipeline import atomic, engine, joint, params, stages, training
from pipeline.errors import UserError
from pipeline.fingerprint import file_hash, fingerprint
from pipeline.imports import reached
from pipeline.joint import JOINT_METHODS
from pipeline.joint import training as joint_training
from pipeline.methods import METHODS
from pipeline.staging import Staging

SHARED = Path(training.__file__)
SHARED_JOINT = Path(joint_training.__file__)
NOT_ENTERED = [
    Path(inspect.getfile(params)),
    SHARED.parent / "methods/__init__.py",
    Path(inspect.getfile(joint)),
]


class Cell(NamedTuple):
    """A method, or a variant of one, on the task."""

    kind: Literal["cells", "joint"]  # where it stands in the task's file
    name: str


@dataclass(frozen=True)
class Work:
    """Computes the cells of one task."""

    task: spec.Task
    spec: spec.Spec
    params: params.Params
    staging: Staging

    def __call__(self, cell: Cell) -> None:
        """Computes one cell; a method that fails leaves its reason."""
        torch.set_num_threads(1)
        try:
            content = self._computed(cell)
        except UserError as fault:
            content = {"error": str(fault)}
        text = json.dumps(content, sort_keys=True)
        self.staging.write(self.fingerprint(cell), text.encode())

    def cells(self) -> list[Cell]:
        """All of the task's, once each, the upper bound last."""
        names = [*dict.fromkeys(self.spec.methods), spec.SUPERVISED]
        seeing = [Cell("joint", name) for name in dict.fromkeys(self.spec.joint)]
        return [*(Cell("cells", name) for name in names), *seeing]

    def fingerprint(self, cell: Cell) -> str:
        """What a cell is made from."""
        made_from: dict[str, Any] = {"data": data.digest(self.task), "seeds": list(self.spec.seeds)}
        p = self.params
        if cell.kind == "joint":
            code = _code([SHARED_JOINT, Path(inspect.getfile(JOINT_METHODS[cell.name]))])
            trained = {"network": p.network.model_dump(), "joint": p.joint.model_dump()}
            trained["joint"]["method"] = cell.name
            return fingerprint(code=code, **trained, **made_from)
        made_from["source"] = self._source()
        if cell.name == spec.SUPERVISED:
            return fingerprint(cell=cell.name, code=_code([SHARED]), **made_from)
        chosen = self.spec.adapt(cell.name, p.adapt)
        own = Path(inspect.getfile(METHODS[chosen.method]))
        return fingerprint(adapt=chosen.model_dump(), code=_code([SHARED, own]), **made_from)

    def prepare(self) -> None:
        """Trains the source models that all source-free cells begin with, once a task."""
        made_from = self._source_fingerprint()
        if not self.staging.holds(made_from):
            task = data.load(self.task)
            packed = source_free.source_models(task, self.params, self.spec.seeds)
            self.staging.write(made_from, packed)

    def _computed(self, cell: Cell) -> Mapping[str, Any]:
        task, p, seeds = data.load(self.task), self.params, self.spec.seeds
        if cell.kind == "joint":
            return with_source.jointly_trained(cell.name, task, p, seeds)
        if cell.name == spec.SUPERVISED:
            return source_free.supervised(task, p, seeds)
        packed = self.staging.read(self._source_fingerprint())
        models = source_free.unpacked(packed, source_free.untrained(task, p, seeds))
        return source_free.adapted(task, models, self.spec.adapt(cell.name, p.adapt))

    def _source(self) -> dict[str, Any]:
        return {
            "pretrain": self.params.pretrain.model_dump(),
            "network": self.params.network.model_dump(),
        }

    def _source_fingerprint(self) -> str:
        return fingerprint(
            data=data.digest(self.task),
            code=_code([SHARED]),
            seeds=list(self.spec.seeds),
            **self._source(),
        )


def _code(files: list[Path]) -> list[str]:
    """Hashes of the files, and of all that they run."""
    return sorted(file_hash(path) for path in reached(files, NOT_ENTERED))


def complete(work: Work) -> None:
    """Computes the cells that are not there. Raises UserError for those that broke."""
    work.prepare()
    todo = [cell for cell in work.cells() if not work.staging.holds(work.fingerprint(cell))]
    done = len(work.cells()) - len(todo)
    print(f"benchmark {work.task.name}: {len(todo)} cells to do, {done} done before")
    failures = engine.run(work, todo, label=work.task.name, workers=work.params.engine.workers)
    if failures:
        lines = [f"  {failure.item.name}: {failure.reason}" for failure in failures]
        raise UserError("\n".join([f"benchmark {work.task.name}: cells failed", *lines]))


def collected(work: Work) -> dict[str, Any]:
    """The content of the task's file."""
    loaded = data.load(work.task)
    content: dict[str, Any] = {
        "task": work.task.model_dump(),
        "classes": list(loaded.classes),
        "labels": loaded.test_labels.tolist(),
        "train_videos": len(loaded.train),
        "cells": {},
        "joint": {},
    }
    for cell in work.cells():
        content[cell.kind][cell.name] = json.loads(work.staging.read(work.fingerprint(cell)))
    return content


def main() -> None:
    """Computes what is missing of a task, then writes all its cells."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.cells")
    parser.add_argument("task")
    parser.add_argument("--spec", type=Path, default=spec.PATH)
    parser.add_argument("--out", type=Path, default=spec.CELLS)
    options = parser.parse_args()
    chosen = spec.load(options.spec)
    task = chosen.task(options.task)
    staging = Staging("benchmark", task.name)
    work = Work(task, chosen, spec.params_of(task), staging)
    with staging.lock():
        complete(work)
        content = collected(work)
    atomic.write_file(options.out / f"{task.name}.json", json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    stages.run(main)
