"""Cells of the benchmark that methods of `pipeline/joint` fill: they see the labelled source."""

from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy import data
from benchmarks.accuracy.data import Data
from pipeline.descent import Settings
from pipeline.joint import JOINT_METHODS, JointData, JointMethod, JointWeights
from pipeline.joint.shape import Shape
from pipeline.joint.training import fit, predict
from pipeline.params import Params


def jointly_trained(name: str, task: Data, p: Params, seeds: Sequence[int]) -> dict[str, Any]:
    """Trains the method's network on both domains; each seed's last epoch on the test videos."""
    method = JOINT_METHODS[name](JointWeights(p.joint.lambda_, p.joint.tau, p.joint.threshold))
    source = task.source
    shape = Shape(source.dim, len(task.classes), source.clips, **p.network.model_dump())
    networks = {seed: method.network(shape, seed) for seed in seeds}
    settings = Settings(p.joint.epochs, p.joint.lr, p.joint.batch_size)
    runs = fit(networks, learnt(method, task), method, settings)
    return {
        str(seed): data.measured(predict(run.model, task.target).logits, task)
        for seed, run in runs.items()
    }


def learnt(method: JointMethod, task: Data) -> JointData:
    """The labelled videos of the domain that the method names, and the target's without labels."""
    target = task.target.select(task.train)
    if method.learns_from == "source":
        return JointData(task.source, task.source_labels, target)
    rows = data.rows_of(task.supervised.keys, task.target)
    return JointData(task.target.select(rows), task.supervised.numbers, target)
