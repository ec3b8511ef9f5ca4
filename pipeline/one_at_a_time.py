"""Work that one process does at a time, and others wait for.

When DVC is killed and the stage that it runs is not, the stage goes on, and the next `dvc repro`
starts another one. The two must not write the same outputs at once, and the last word is the newer
one's, whose parameters may differ.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Keeps others out of a block, or of a function that it decorates; waits for their end.

    Args:
        lock: a file that stands for the work; is made. A process that dies holds it no more.
        what: is named to who has to wait.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        print(f"{what}: waiting for another run of it", file=sys.stderr)
        held.acquire()
    try:
        yield
    finally:
        held.release()
