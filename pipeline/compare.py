"""Lists the experiments of this repository, best first; see docs/commands.md.

    python -m pipeline.compare [--csv OUT.csv] [--svg OUT.svg] [--html OUT.html]

An experiment is what `dvc exp run` left, or a commit that has results. Beside each stand its task,
its method, what else it changed, accuracies where the target has labels, and label-free scores.
"""

from collections.abc import Sequence
from pathlib import Path

import pipeline.stages
from pipeline import atomic, command_line, comparison, comparison_page, experiments, tables
from pipeline.comparison import Shown
from pipeline.errors import UserError
from pipeline.experiments import Experiment


def table(found: Sequence[Experiment]) -> list[tables.Row]:
    """A row an experiment."""
    return [
        tables.rounded(
            {
                "experiment": one.name,
                "task": one.task,
                "method": one.method,
                "changed": changed,
                **one.scores,
            }
        )
        for one, changed in zip(found, experiments.changes(found), strict=True)
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
    parser = command_line.parser("compare", __doc__)
    parser.add_argument("--csv", type=Path, help="write the table")
    parser.add_argument("--svg", type=Path, help="write a picture of the accuracies")
    parser.add_argument("--html", type=Path, help="write a page, with what the weights do")
    options = parser.parse_args()
    import dvc.api

    found = experiments.finished(dvc.api.exp_show())
    if not found:
        raise UserError("no experiment has results yet; `dvc repro` or `dvc exp run` makes some")
    rows = table(found)
    print("\n".join(line.rstrip() for line in lines(rows)))
    if options.csv:
        tables.write(options.csv, rows)
    if options.html:
        atomic.write_file(options.html, comparison_page.page(found, rows))
    if options.svg:
        shown = [Shown.of(row) for row in rows if row["adapted"] is not None]
        if not shown:
            raise UserError("no experiment has an accuracy: the target has no labels")
        atomic.write_file(options.svg, comparison.draw("comparison", shown))


if __name__ == "__main__":
    pipeline.stages.run(main, "interrupted: it has changed nothing")
