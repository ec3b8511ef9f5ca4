"""Makes the features of a benchmark's tasks by the main pipeline, each with its own parameters.

    python -m benchmarks.accuracy.features [--spec benchmarks/accuracy.yaml] [--tasks NAME ...]

For each task, params.yaml gets its source, target and presets, `dvc repro` runs the stages up to
`features` of both domains, and params.yaml becomes what it was. What is cached costs nothing.
"""

import argparse
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.accuracy import spec
from pipeline import atomic, params, paths, stages
from pipeline.errors import UserError

PARAMS = Path("params.yaml")
KEPT = Path(".staging/params.yaml")  # params.yaml while another stands in its place


def changed(task: spec.Task, content: str) -> str:
    """params.yaml with the task's domains and presets. Raises UserError as params do."""
    spec.params_of(task)
    values = yaml.safe_load(content)
    for change in spec.changes(task):
        values = params.changed(values, change)
    text: str = yaml.safe_dump(values, sort_keys=False)
    return text


@contextmanager
def swapped(content: str) -> Iterator[None]:
    """params.yaml with other content; the old is put back, at the next start if not before."""
    atomic.write_file(KEPT, PARAMS.read_text(encoding="utf-8"))
    try:
        atomic.write_file(PARAMS, content)
        yield
    finally:
        put_back()


def put_back() -> None:
    """Puts params.yaml back where a killed run left another."""
    if KEPT.exists():
        KEPT.replace(PARAMS)


def lacking(task: spec.Task) -> list[str]:
    """Raw folders of the task's domains that are not there; the demo's are rendered."""
    domains = spec.params_of(task).domains
    pair = (task.source, task.target)
    raw = [paths.raw(name) for name in pair if domains[name].dataset != "demo"]
    return [str(path) for path in raw if not path.exists()]


def make(tasks: Sequence[spec.Task]) -> None:
    """Runs `dvc repro` for each task. Raises UserError where it fails, or where videos lack."""
    missing = {task.name: folders for task in tasks if (folders := lacking(task))}
    for task in tasks:
        if task.name in missing:
            continue
        with swapped(changed(task, PARAMS.read_text(encoding="utf-8"))):
            targets = [f"features@{domain}" for domain in (task.source, task.target)]
            done = subprocess.run(["dvc", "repro", *targets], check=False)
        if done.returncode:
            raise UserError(
                f"features of task {task.name}: dvc repro ended with {done.returncode}; its "
                f"message is above. The videos or features of {task.source} and {task.target} "
                "belong into data/raw/<domain>, see docs/benchmark.md"
            )
    if missing:
        lines = [f"  {name}: {', '.join(folders)}" for name, folders in missing.items()]
        raise UserError(
            "\n".join(
                [
                    "tasks whose videos or features are not there; put them there as "
                    "docs/benchmark.md says, or take the tasks out of the benchmark's file:",
                    *lines,
                ]
            )
        )


def main() -> None:
    """Makes the features of all tasks, or of some."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.features")
    parser.add_argument("--spec", type=Path, default=spec.PATH)
    parser.add_argument("--tasks", nargs="+")
    options = parser.parse_args()
    put_back()
    chosen = spec.load(options.spec)
    make([chosen.task(name) for name in options.tasks] if options.tasks else chosen.tasks)


if __name__ == "__main__":
    stages.run(main)
