"""Lists the experiments of this repository, best first; see docs/commands.md.

    python -m pipeline.compare [--csv OUT.csv] [--svg OUT.svg]

An experiment is what `dvc exp run` left, or a commit that has results. Beside each stand its task,
its method, what else it changed, accuracies where the target has labels, and label-free scores.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipeline.stages
from pipeline import atomic, comparison, tables
from pipeline.comparison import Shown
from pipeline.errors import UserError

OF_RESULTS = ("seeds", "clips.", "decode.", "flow.", "features.", "network.", "pretrain.", "adapt.")
TOLD = ("adapt.method", "task.source", "task.target")  # they have columns of their own
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
    """One line of `dvc exp show`: parameters and metrics by their dotted names."""

    name: str
    params: Mapping[str, str]
    scores: Mapping[str, float | None]

    @property
    def task(self) -> str:
        """Source and target."""
        return f"{self.params['task.source']} -> {self.params['task.target']}"


def experiments(rows: Sequence[Mapping[str, Any]]) -> list[Experiment]:
    """Those of DVC's rows that have results, each once, the most accurate first.

    Rows without any accuracy, whose target has no labels, stand last.
    """
    found: dict[tuple[Any, ...], Experiment] = {}
    for row in sorted(rows, key=lambda row: row["rev"] == "workspace"):  # it equals another, often
        scores = {column: _number(row.get(name)) for column, name in SCORES.items()}
        if scores["mean_entropy"] is None:
            continue
        params = {name: str(value) for name, value in row.items() if _shapes_results(name)}
        name = str(row.get("Experiment") or row["rev"])
        same = (*sorted(params.items()), *scores.values())
        found.setdefault(same, Experiment(name, params, scores))
    return sorted(found.values(), key=lambda one: (one.task, -(one.scores["adapted"] or 0.0)))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _shapes_results(name: str) -> bool:
    return name in TOLD or name.startswith(OF_RESULTS)


def changes(found: Sequence[Experiment]) -> list[str]:
    """What each experiment has otherwise than most: `lambda1 3.0, epochs 5.0`."""
    names = {name for one in found for name in one.params if name not in TOLD}
    usual = {name: _most(one.params.get(name, "") for one in found) for name in names}
    return [
        ", ".join(
            f"{name.removeprefix('adapt.')} {one.params.get(name, '')}"
            for name in sorted(names)
            if one.params.get(name, "") != usual[name]
        )
        for one in found
    ]


def _most(values: Any) -> str:
    listed = list(values)
    return max(sorted(set(listed)), key=listed.count)


def table(found: Sequence[Experiment]) -> list[tables.Row]:
    """A row an experiment."""
    return [
        tables.rounded(
            {
                "experiment": one.name,
                "task": one.task,
                "method": one.params["adapt.method"],
                "changed": changed,
                **one.scores,
            }
        )
        for one, changed in zip(found, changes(found), strict=True)
    ]


def lines(rows: Sequence[tables.Row]) -> list[str]:
    """The table as text, shares in per cent."""
    columns = ("experiment", "task", "method", "changed", "source_only", "adapted", "sd")
    cells = [list(columns), *([_told(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    return ["  ".join(f"{c:{w}}" for c, w in zip(line, widths, strict=True)) for line in cells]


def _told(cell: tables.Cell) -> str:
    return f"{cell:.1%}" if isinstance(cell, float) else str("" if cell is None else cell)


def main() -> None:
    """Prints the table, and writes what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--csv", type=Path, help="write the table")
    parser.add_argument("--svg", type=Path, help="write a picture of the accuracies")
    options = parser.parse_args()
    import dvc.api

    found = experiments(dvc.api.exp_show())
    if not found:
        raise UserError("no experiment has results yet; `dvc repro` or `dvc exp run` makes some")
    rows = table(found)
    print("\n".join(line.rstrip() for line in lines(rows)))
    if options.csv:
        tables.write(options.csv, rows)
    if options.svg:
        shown = [Shown.of(row) for row in rows if row["adapted"] is not None]
        if not shown:
            raise UserError("no experiment has an accuracy: the target has no labels")
        atomic.write_file(options.svg, comparison.draw("comparison", shown))


if __name__ == "__main__":
    pipeline.stages.run(main, "interrupted: it has changed nothing")
