"""Where per-video work runs: processes of this machine, one a core, one thread each.

Work on one video must not take the others down: a video that cannot be used, and even one that
kills its process, becomes a row in a table, and the run goes on.
"""

import multiprocessing
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Generic, TypeVar

from tqdm import tqdm

from pipeline.errors import UserError, VideoError

T = TypeVar("T")
_DIED = "its process died (out of memory, or a crash in the decoder); skip it"
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Failure(Generic[T]):
    """An item that could not be done, and why."""

    item: T
    reason: str


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run(
    work: Callable[[T], None], items: Sequence[T], *, label: str, workers: int | None = None
) -> list[Failure[T]]:
    """Calls `work` on every item, `workers` at once (None: one a core); returns what failed.

    `work` must be picklable. A VideoError is the item's failure; so is an unexpected exception,
    with where it was raised. Any other UserError concerns all items and ends the run. If a process
    dies (out of memory, a crash inside a decoder), the items it may have died of are tried again
    alone, and only the guilty one fails.
    """
    count = min(workers or cores(), max(1, len(items)))
    todo, failures = deque(items), list[Failure[T]]()
    with tqdm(total=len(items), desc=label, unit="video", disable=None) as bar:
        while todo:
            suspects = deque(_until_death(work, todo, count, 2 * count, failures, bar.update))
            while suspects:  # one at a time: whose process dies now is guilty
                for guilty in _until_death(work, suspects, 1, 1, failures, bar.update):
                    failures.append(Failure(guilty, _DIED))
                    bar.update()
    return failures


def _until_death(
    work: Callable[[T], None],
    todo: deque[T],
    workers: int,
    ahead: int,
    failures: list[Failure[T]],
    tick: Callable[[], object],
) -> list[T]:
    """Works `todo` off, at most `ahead` items at a time, and adds to `failures`.

    Returns when all is done, or a process has died: then the items that were in work.
    """
    running: dict[Future[str | None], T] = {}
    with _pool(workers) as pool:
        try:
            while todo or running:
                while todo and len(running) < ahead:
                    future = pool.submit(_attempt, work, todo[0])
                    running[future] = todo.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    reason = future.result()
                    item = running.pop(future)
                    tick()
                    if reason is not None:
                        failures.append(Failure(item, reason))
        except BrokenProcessPool:
            pass
    return list(running.values())


def _attempt(work: Callable[[T], None], item: T) -> str | None:
    """Runs in a worker: the reason why an item failed, or None."""
    try:
        work(item)
    except VideoError as fault:
        return str(fault)
    except UserError:
        raise
    except Exception as fault:  # a fault of ours must not cost the other videos
        where = traceback.extract_tb(fault.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"  # noqa: PTH119
        return f"unexpected {type(fault).__name__} at {place}: {fault}; please report it"
    return None


def _pool(workers: int) -> ProcessPoolExecutor:
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent)


def _die_with_parent() -> None:
    """Ends this worker when the stage that started it is gone, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
