"""Where per-video work runs: processes of this machine, one a core, one thread each.

Work on one video must not take the others down: a video that cannot be used, and even one that
kills its process, becomes a row in a table, and the run goes on.
"""

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from tqdm import tqdm

from pipeline.errors import UserError, VideoError
from pipeline.time_limit import limited

T = TypeVar("T")
R = TypeVar("R")
DIED = (
    "its process died: out of memory, a crash in the decoder, or stuck in it beyond "
    "engine.video_timeout; skip it"
)
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Failure(Generic[T]):
    """An item that could not be done, and why."""

    item: T
    reason: str


@dataclass(frozen=True)
class Reason:
    """What a worker answers in place of a result."""

    text: str


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run(
    work: Callable[[T], None],
    items: Sequence[T],
    *,
    label: str,
    workers: int | None = None,
    timeout: float | None = None,
) -> list[Failure[T]]:
    """Calls `work` on every item; returns what failed. As `results`."""
    failures = list[Failure[T]]()
    for _ in results(work, items, failures, label=label, workers=workers, timeout=timeout):
        pass
    return failures


def results(
    work: Callable[[T], R],
    items: Sequence[T],
    failures: list[Failure[T]],
    *,
    label: str,
    workers: int | None = None,
    timeout: float | None = None,
) -> Iterator[tuple[T, R]]:
    """Yields items and what `work` makes of them, as they are done; adds to `failures` the others.

    `workers` work at once (None: one a core), not far ahead of what is asked for. An item that
    takes longer than `timeout` seconds fails (None: no limit).

    `work` must be picklable. A VideoError is the item's failure; so is an unexpected exception,
    with where it was raised. Any other UserError concerns all items and ends the run. If a process
    dies (out of memory, a crash inside a decoder), the items it may have died of are tried again
    alone, and only the guilty one fails.

    Ctrl-C, and who asks for no more results, ends the processes with what they have in work.
    """
    tried = partial(attempt, work, timeout=timeout)
    count = min(workers or cores(), max(1, len(items)))
    todo = deque(items)
    with _unheard():  # the bar has a thread
        bar = tqdm(total=len(items), desc=label, unit="video", disable=None)
    with bar:
        while todo:
            suspects = deque(
                (yield from _until_death(tried, todo, count, 2 * count, failures, bar))
            )
            while suspects:  # one at a time: whose process dies now is guilty
                for guilty in (yield from _until_death(tried, suspects, 1, 1, failures, bar)):
                    failures.append(Failure(guilty, DIED))
                    bar.update()


def _until_death(
    tried: Callable[[T], R | Reason],
    todo: deque[T],
    workers: int,
    ahead: int,
    failures: list[Failure[T]],
    bar: "tqdm[Any]",
) -> Generator[tuple[T, R], None, list[T]]:
    """Works `todo` off, at most `ahead` items at a time, and adds to `failures`.

    Returns when all is done, or a process has died: then the items that were in work.
    """
    running: dict[Future[R | Reason], T] = {}
    with _pool(workers) as pool:
        try:
            while todo or running:
                while todo and len(running) < ahead:
                    with _unheard():
                        future = pool.submit(tried, todo[0])
                    running[future] = todo.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    item = running.pop(future)
                    bar.update()
                    if isinstance(result, Reason):
                        failures.append(Failure(item, result.text))
                    else:
                        yield item, result
        except BrokenProcessPool:
            pass
    return list(running.values())


def attempt(work: Callable[[T], R], item: T, timeout: float | None = None) -> R | Reason:
    """Runs in a worker: what comes of an item, or the reason why it failed."""
    try:
        with limited(timeout):
            return work(item)
    except VideoError as fault:
        return Reason(str(fault))
    except UserError:
        raise
    except MemoryError:
        return Reason("out of memory; free some or lower engine.workers, or skip it")
    except Exception as fault:  # a fault of ours must not cost the other videos
        where = traceback.extract_tb(fault.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}:{where.lineno}"  # noqa: PTH119
        return Reason(f"unexpected {type(fault).__name__} at {place}: {fault}; please report it")


@contextmanager
def _unheard() -> Iterator[None]:
    """Threads and processes started in the block never hear Ctrl-C; this thread, at its end.

    A process whose start it breaks off would say so in a traceback, as would each worker.
    """
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with the block."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent)
    try:
        yield pool
    except (KeyboardInterrupt, GeneratorExit):  # nobody waits for what is in work
        for process in list((pool._processes or {}).values()):  # Python 3.14: pool.kill_workers()
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _die_with_parent() -> None:
    """Ends this worker when the stage that started it is gone, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
