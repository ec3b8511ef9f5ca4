"""Stage `tables`: the cells of all tasks -> accuracy and selection tables, as CSV, Markdown, LaTeX.

    python -m benchmarks.accuracy.tables [--spec FILE] [--cells FOLDER] [--out FOLDER]

Reads   benchmarks/accuracy.yaml, benchmarks/published.yaml, benchmarks/cells/<task>.json
Writes  benchmarks/tables/accuracy.{csv,md,tex}, selection.{csv,md}, claims.{csv,md}
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks.accuracy import choosing, claims, spec, summary
from benchmarks.accuracy.summary import Line
from pipeline import atomic, stages, tables
from pipeline.errors import UserError

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


def claim_cells(verdict: claims.Verdict) -> list[str]:
    """A line of the table of claims."""
    return [
        verdict.claim,
        f"{100 * verdict.difference:+.1f}",
        "< 0.001" if verdict.p < 0.001 else f"{verdict.p:.3f}",
        verdict.verdict,
    ]


class Block(NamedTuple):
    """One table of a task: methods of one kind."""

    kind: str
    heading: str
    baseline: str
    lines: list[Line]


def blocks(
    chosen: spec.Spec, task: Mapping[str, Any], published: Mapping[str, float]
) -> list[Block]:
    """A task's tables: of source-free methods, and of those that see the source."""
    names = [*dict.fromkeys(chosen.methods), spec.SUPERVISED]
    found = [Block("source_free", "", chosen.baseline, [])]
    found[0].lines.extend(summary.line(name, task, chosen.baseline, published) for name in names)
    if chosen.joint and chosen.joint_baseline:
        seeing, baseline = {**task, "cells": task["joint"]}, chosen.joint_baseline
        lines = [summary.line(name, seeing, baseline, published) for name in chosen.joint]
        found.append(Block("sees_source", "Methods that see the source", baseline, lines))
    return found


def accuracy_texts(block: Block, above: str) -> tuple[list[str], str]:
    """A block as paragraphs of Markdown, and as a LaTeX table."""
    text = [cells(line, block.baseline) for line in block.lines]
    columns = ["method", "accuracy", "oracle", f"against {block.baseline}", "p", "published"]
    failed = [f"`{line.method}` failed: {line.error}" for line in block.lines if line.error]
    heading = [f"### {block.heading}"] if block.heading else []
    caption = f"{block.heading}. {above}" if block.heading else above
    return [*heading, markdown(columns, text), *failed], latex(caption, columns, text)


def read_cells(path: Path) -> dict[str, Any]:
    """A task's file. Raises UserError if it is missing."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; `python -m benchmarks.accuracy.cells {path.stem}` makes it"
        ) from None
    return content


def write(chosen: spec.Spec, cells_folder: Path, out: Path) -> None:
    """Writes all tables of a benchmark whose cells are there."""
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    accuracy_md, accuracy_tex, selection_md = [_ACCURACY], list[str](), [_SELECTION]
    claims_md = [_CLAIMS]
    rows, choices, judged = list[tables.Row](), list[tables.Row](), list[tables.Row]()
    for task in chosen.tasks:
        found = read_cells(cells_folder / f"{task.name}.json")
        printed = published.get(task.published, {}) if task.published else {}
        above = heading(found, printed)
        accuracy_md += [f"## {task.name}", above]
        for block in blocks(chosen, found, printed.get("values", {})):
            paragraphs, table = accuracy_texts(block, above)
            accuracy_md += paragraphs
            accuracy_tex.append(table)
            rows += [
                tables.rounded({"task": task.name, "kind": block.kind, **asdict(line)})
                for line in block.lines
            ]
        scored = choosing.choices(found)
        told = ["score", "epoch: to the oracle", "to the last", "ranks methods", "picks"]
        selection_md += [f"## {task.name}", markdown(told, [choice_cells(c) for c in scored])]
        choices += [tables.rounded({"task": task.name, **asdict(c)}) for c in scored]
        held = claims.verdicts(found)
        told = ["claim", "points", "p", "verdict"]
        claims_md += [f"## {task.name}", markdown(told, [claim_cells(v) for v in held])]
        judged += [tables.rounded({"task": task.name, **asdict(v)}) for v in held]
    tables.write(out / "accuracy.csv", rows)
    tables.write(out / "selection.csv", choices)
    tables.write(out / "claims.csv", judged)
    atomic.write_file(out / "accuracy.md", "\n\n".join(accuracy_md) + "\n")
    atomic.write_file(out / "accuracy.tex", "\n\n".join(accuracy_tex) + "\n")
    atomic.write_file(out / "selection.md", "\n\n".join(selection_md) + "\n")
    atomic.write_file(out / "claims.md", "\n\n".join(claims_md) + "\n")
    print(f"{out}: accuracy.md, .csv and .tex; selection.md and .csv; claims.md and .csv")


def main() -> None:
    """Runs the stage."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.tables")
    parser.add_argument("--spec", type=Path, default=spec.PATH)
    parser.add_argument("--cells", type=Path, default=spec.CELLS)
    parser.add_argument("--out", type=Path, default=spec.TABLES)
    options = parser.parse_args()
    write(spec.load(options.spec), options.cells, options.out)


_ACCURACY = """# Accuracy of every method on every task

Percent of the target's test videos, model of the last epoch, mean ± standard deviation over the
seeds. *oracle*: the best epoch of each seed, chosen with the test labels; a bound, never a result.
*against*: difference to the baseline in points, and the p-value of a paired sign-flip test over the
test videos (each video's share of seeds that are right). `target_supervised` is trained on the
target's labels. Of methods that see the source only the last epoch is measured."""

_SELECTION = """# Choosing without target labels

Of all adapted runs of a task: the accuracy of the epoch with the best score, less that of the
oracle's epoch, and less that of the last epoch, in points. *ranks methods*: Spearman's correlation
of the score at the last epoch with the accuracy, over the methods. *picks*: the method with the
best score, and how far it is below the best method, in points."""

_CLAIMS = """# What the papers claim

Each line is an order of two methods that a paper's tables show. *points*: what the first is above
the second here, over the seeds; *p*: paired sign-flip test over the test videos. Confirmed or
refuted: p below 0.05."""


if __name__ == "__main__":
    stages.run(main)
