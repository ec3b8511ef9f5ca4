"""What a GPU of the tests is told to do."""

import os
import signal
from collections.abc import Iterator, Sequence

from pipeline import ray_engine
from pipeline.engine import Failure, Reason


def doubled(todo: Sequence[str], ahead: int) -> Iterator[tuple[str, str | Reason]]:
    """Capitals, which tasks of its own make, twice; dies of the item that says so."""
    failures = list[Failure[str]]()
    found = ray_engine.outcomes(str.upper, todo, ahead, timeout=None)
    for item, result in ray_engine.told_apart(found, failures):
        if item == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        yield item, Reason("told") if item == "bad" else 2 * result
