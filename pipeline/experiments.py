"""The experiments of this repository: what each was made with, and what came of it.

An experiment is what `dvc exp run` left, or a commit that has results.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OF_RESULTS = ("seeds", "clips.", "decode.", "flow.", "features.", "network.", "pretrain.", "adapt.")
OF_DATA = ("source.", "target.", "demo.", "task.")  # what they mean hangs on the task
TOLD = ("adapt.method", "task.source", "task.target")  # they have columns of their own
UNFINISHED = ("Queued", "Running", "Failed")  # DVC gives these the numbers of what they began from
SCORES = {  # column -> name in results/metrics.json
    "source_only": "source_only.accuracy",
    "adapted": "adapted.accuracy",
    "sd": "adapted.accuracy_sd",
    "low": "adapted.accuracy_low",
    "high": "adapted.accuracy_high",
    "mean_entropy": "adapted.label_free.mean_entropy",
    "marginal_entropy": "adapted.label_free.marginal_entropy",
}


@dataclass(frozen=True)
class Experiment:
    """One line of `dvc exp show`.

    params  those that shape results, as text, by dotted names; `source.` and `target.` stand for
            the sections of the two domains
    scores  by column of `SCORES`; None where there is none
    inputs  DVC's digests of the source model and of the target's videos, as far as it knows them
    """

    name: str
    params: Mapping[str, str]
    scores: Mapping[str, float | None]
    inputs: tuple[str | None, ...] = ()

    @property
    def task(self) -> str:
        """Source and target."""
        return f"{self.params['task.source']} -> {self.params['task.target']}"

    @property
    def method(self) -> str:
        """Of the adaptation."""
        return self.params["adapt.method"]


def finished(rows: Sequence[Mapping[str, Any]]) -> list[Experiment]:
    """Those of DVC's rows that have results, each once, the most accurate first.

    Rows without any accuracy, whose target has no labels, stand last.
    """
    found: dict[tuple[Any, ...], Experiment] = {}
    for row in sorted(rows, key=lambda row: row["rev"] == "workspace"):  # it equals another, often
        scores = {column: _number(row.get(name)) for column, name in SCORES.items()}
        if scores["mean_entropy"] is None or row.get("State") in UNFINISHED:
            continue
        params, target = _params(row), row["task.target"]
        inputs = tuple(row.get(path) for path in ("models/source", f"data/raw/{target}"))
        name = str(row.get("Experiment") or row["rev"])
        same = (*sorted(params.items()), *scores.values())
        found.setdefault(same, Experiment(name, params, scores, inputs))
    return sorted(found.values(), key=lambda one: (one.task, -(one.scores["adapted"] or 0.0)))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _params(row: Mapping[str, Any]) -> dict[str, str]:
    """What shapes the results, of all parameters of the project."""
    text = {name: str(value).removesuffix(".0") for name, value in row.items()}  # DVC's fractions
    params = {n: value for n, value in text.items() if n.startswith((*OF_RESULTS, "task."))}
    for side in ("source", "target"):
        section = f"domains.{row[f'task.{side}']}."
        own = {n: value for n, value in text.items() if n.startswith(section)}
        params |= {f"{side}.{n.removeprefix(section)}": value for n, value in own.items()}
    if "demo" in (params.get("source.dataset"), params.get("target.dataset")):
        params |= {n: value for n, value in text.items() if n.startswith("demo.")}
    return params


def changes(found: Sequence[Experiment]) -> list[str]:
    """What each experiment has otherwise than most: `lambda1 3, epochs 5`."""
    names = {name for one in found for name in one.params}
    values: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in found:
        for name in names:
            values[_where(one, name)].append(one.params.get(name, ""))
    usual = {where: _most(own) for where, own in values.items()}
    return [
        ", ".join(
            f"{name.removeprefix('adapt.')} {value}"
            for name, value in sorted(one.params.items())
            if name not in TOLD and value != usual[_where(one, name)]
        )
        for one in found
    ]


def _where(one: Experiment, name: str) -> tuple[str, str]:
    """A parameter, among all experiments, or among those of one task."""
    return name, one.task if name.startswith(OF_DATA) else ""


def _most(values: Iterable[str]) -> str:
    listed = list(values)
    return max(sorted(set(listed)), key=listed.count)
