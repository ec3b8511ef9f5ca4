"""Stage `tables`: the cells of all tasks -> accuracy and selection tables, as CSV, Markdown, LaTeX.

    python -m benchmarks.accuracy.tables

Reads   benchmarks/accuracy.yaml, benchmarks/published.yaml, benchmarks/cells/<task>.json
Writes  benchmarks/tables/accuracy.{csv,md,tex}, selection.{csv,md}
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from benchmarks.accuracy import choosing, spec, summary
from benchmarks.accuracy.summary import Line
from pipeline import atomic, stages, tables

PUBLISHED = Path("benchmarks/published.yaml")


def cells(line: Line, baseline: str) -> list[str]:
    """A line as text: percent, mean and standard deviation; the oracle stands apart."""
    if line.error:
        return [line.method, "failed", "", "", "", ""]
    spread = "" if line.deviation != line.deviation else f" ± {100 * line.deviation:.1f}"
    difference = "baseline" if line.method == baseline else ""
    if line.difference is not None:
        difference = f"{100 * line.difference:+.1f}"
    p = "" if line.p is None else ("< 0.001" if line.p < 0.001 else f"{line.p:.3f}")
    published = "" if line.published is None else f"{line.published:.2f}"
    oracle = f"{100 * line.oracle:.1f}"
    return [line.method, f"{100 * line.mean:.1f}{spread}", oracle, difference, p, published]


def heading(task: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """What a task's table needs said above it."""
    count, seeds = len(task["labels"]), len(next(iter(task["cells"].values())))
    source = published.get("source")
    beside = f" Published: {source}." if source else ""
    return (
        f"{task['task']['source']} → {task['task']['target']}: {len(task['classes'])} classes, "
        f"{task['train_videos']} training videos without labels, {count} test videos (one is "
        f"{100 / count:.2f} points), {seeds} seeds.{beside}"
    )


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def latex(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A LaTeX table in booktabs' form."""
    body = [" & ".join(map(_escaped, row)) + r" \\" for row in rows]
    head = " & ".join(map(_escaped, columns)) + r" \\"
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escaped(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _escaped(text: str) -> str:
    for plain, coded in (
        ("_", r"\_"),
        ("%", r"\%"),
        ("±", r"$\pm$"),
        ("→", r"$\to$"),
        ("<", "$<$"),
    ):
        text = text.replace(plain, coded)
    return text


def choice_cells(choice: choosing.Choice) -> list[str]:
    """A score's line of the selection table."""
    ranks = "" if choice.ranks != choice.ranks else f"{choice.ranks:+.2f}"
    picked = f"{choice.pick} (−{100 * choice.pick_below_best:.1f})" if choice.pick else ""
    lost, gained = f"−{100 * choice.below_oracle:.1f}", f"{100 * choice.above_last:+.1f}"
    return [choice.score, lost, gained, ranks, picked]


def main() -> None:
    """Runs the stage."""
    chosen, _ = spec.load()
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    names = [*dict.fromkeys(chosen.methods), spec.SUPERVISED]
    accuracy_md, accuracy_tex, selection_md = [_ACCURACY], list[str](), [_SELECTION]
    rows, choices = list[tables.Row](), list[tables.Row]()
    for task in chosen.tasks:
        found = json.loads((spec.CELLS / f"{task.name}.json").read_text(encoding="utf-8"))
        printed = published.get(task.published, {}) if task.published else {}
        lines = [
            summary.line(name, found, chosen.baseline, printed.get("values", {})) for name in names
        ]
        above = heading(found, printed)
        text = [cells(line, chosen.baseline) for line in lines]
        columns = ["method", "accuracy", "oracle", f"against {chosen.baseline}", "p", "published"]
        accuracy_md += [f"## {task.name}", above, markdown(columns, text)]
        accuracy_md += [f"`{line.method}` failed: {line.error}" for line in lines if line.error]
        accuracy_tex.append(latex(above, columns, text))
        rows += [tables.rounded({"task": task.name, **asdict(line)}) for line in lines]

        scored = choosing.choices(found)
        told = ["score", "epoch: to the oracle", "to the last", "ranks methods", "picks"]
        selection_md += [f"## {task.name}", markdown(told, [choice_cells(c) for c in scored])]
        choices += [tables.rounded({"task": task.name, **asdict(c)}) for c in scored]
    tables.write(spec.TABLES / "accuracy.csv", rows)
    tables.write(spec.TABLES / "selection.csv", choices)
    atomic.write_file(spec.TABLES / "accuracy.md", "\n\n".join(accuracy_md) + "\n")
    atomic.write_file(spec.TABLES / "accuracy.tex", "\n\n".join(accuracy_tex) + "\n")
    atomic.write_file(spec.TABLES / "selection.md", "\n\n".join(selection_md) + "\n")
    print(f"{spec.TABLES}: accuracy.md, accuracy.csv, accuracy.tex, selection.md, selection.csv")


_ACCURACY = """# Accuracy of every method on every task

Percent of the target's test videos, model of the last epoch, mean ± standard deviation over the
seeds. *oracle*: the best epoch of each seed, chosen with the test labels; a bound, never a result.
*against*: difference to the baseline in points, and the p-value of a paired sign-flip test over the
test videos (each video's share of seeds that are right). `target_supervised` is trained on the
target's labels."""

_SELECTION = """# Choosing without target labels

Of all adapted runs of a task: the accuracy of the epoch with the best score, less that of the
oracle's epoch, and less that of the last epoch, in points. *ranks methods*: Spearman's correlation
of the score at the last epoch with the accuracy, over the methods. *picks*: the method with the
best score, and how far it is below the best method, in points."""


if __name__ == "__main__":
    stages.run(main)
