"""Makes the features of the benchmark's tasks: data/index and data/features of their domains.

    python -m benchmarks.fill [TASK ...]        or: make benchmark-data

Runs `dvc exp run` for each task of accuracy.yaml (or those named), with the task's domains set and,
where they are `dataset: imported`, backbone `imported`; then params.yaml is as it was before.
A task whose data/raw/<domain> is missing is passed over and named at the end.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.accuracy import spec
from pipeline import params, paths
from pipeline.errors import UserError

PARAMS = Path("params.yaml")


def command(task: spec.Task, domains: dict[str, params.Domain]) -> list[str]:
    """The words of the command that makes a task's features.

    Raises:
        UserError: a domain that params.yaml does not have, or one of videos with one of features.
    """
    pair = (task.source, task.target)
    unknown = [name for name in pair if name not in domains]
    if unknown:
        raise UserError(
            f"{spec.PATH}: task {task.name}: params.yaml has no domain {' and '.join(unknown)}; "
            "add it under `domains`"
        )
    imported = {domains[name].dataset == "imported" for name in pair}
    if len(imported) == 2:
        raise UserError(
            f"{spec.PATH}: task {task.name}: expected two domains of videos, or two of features "
            "(dataset: imported); found one of each; their features do not compare"
        )
    settings = {"task.source": task.source, "task.target": task.target, "task.classes": "null"}
    if imported == {True}:
        settings["features.backbone"] = "imported"
    words = [word for name, value in settings.items() for word in ("-S", f"{name}={value}")]
    return ["dvc", "exp", "run", *words, *(f"features@{name}" for name in pair)]


def lacking(task: spec.Task, domains: dict[str, params.Domain]) -> list[str]:
    """Domains whose raw folder is not there; the demo's are rendered by the pipeline itself."""
    return [
        name
        for name in (task.source, task.target)
        if domains[name].dataset != "demo" and not paths.raw(name).exists()
    ]


def fill(names: list[str]) -> list[str]:
    """Makes the features of the tasks; returns a line for each that is passed over.

    Raises:
        UserError: an unknown task, or DVC failed.
    """
    chosen, p = spec.load()
    tasks = [chosen.task(name) for name in names] or list(chosen.tasks)
    before, skipped = PARAMS.read_bytes(), []
    try:
        for task in tasks:
            words = command(task, p.domains)
            missing = [str(paths.raw(name)) for name in lacking(task, p.domains)]
            if missing:
                skipped.append(f"{task.name}: {', '.join(missing)} missing; see docs/benchmark.md")
                continue
            PARAMS.write_bytes(before)
            if subprocess.run(words, check=False).returncode:
                raise UserError(f"task {task.name}: DVC failed, see above; run `{' '.join(words)}`")
    finally:
        PARAMS.write_bytes(before)
    return skipped


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    try:
        skipped = fill(parser.parse_args().tasks)
    except UserError as fault:
        sys.exit(str(fault))
    if skipped:
        sys.exit("\n".join(skipped))


if __name__ == "__main__":
    main()
