"""A table of a paper, from videos to numbers: `make paper TABLE=mtran_ucf_hmdb`.

    python -m benchmarks.paper NAME [--tasks NAME ...]

NAME is a file of benchmarks/papers, or target_statistics, a table of our own. Makes the features of
its tasks, computes the cells that are missing, and writes benchmarks/papers/tables/NAME/accuracy.md
and its like.
"""

import argparse
import json
from pathlib import Path

from benchmarks.accuracy import cells, features, spec, tables
from pipeline import atomic, stages
from pipeline.staging import Staging

FOLDER = Path("benchmarks/papers")
OURS = Path("benchmarks/target_statistics.yaml")


def names() -> list[str]:
    """All tables, sorted."""
    return sorted(path.stem for path in [*FOLDER.glob("*.yaml"), OURS])


def filled(chosen: spec.Spec, folder: Path) -> None:
    """Computes the missing cells of all tasks, and writes each task's file."""
    for task in chosen.tasks:
        staging = Staging("benchmark", task.name)
        work = cells.Work(task, chosen, spec.params_of(task), staging)
        with staging.lock():
            cells.complete(work)
            content = cells.collected(work)
        atomic.write_file(folder / f"{task.name}.json", json.dumps(content, indent=1) + "\n")


def main() -> None:
    """Makes one table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.paper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=names())
    parser.add_argument("--tasks", nargs="+", help="only these")
    options = parser.parse_args()
    chosen = spec.load(OURS if options.name == OURS.stem else FOLDER / f"{options.name}.yaml")
    if options.tasks:
        chosen = chosen.model_copy(update={"tasks": tuple(map(chosen.task, options.tasks))})
    features.put_back()
    features.make(chosen.tasks)
    out = FOLDER / "tables" / options.name
    filled(chosen, out / "cells")
    tables.write(chosen, out / "cells", out)


if __name__ == "__main__":
    stages.run(main)
