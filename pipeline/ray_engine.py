"""Where per-video work runs, the other way: on a Ray cluster, as `engine` does on one machine.

The process of the stage deals out videos and gathers what comes of them; it alone writes. A task
has one core and one thread. A process or a node that dies costs its videos a second try: whoever's
process dies three times, the last time alone, is the video that fails. Nothing of Ray is imported
unless engine.kind is ray.
"""

import logging
import os
import re
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from pipeline.engine import DIED, ONE_THREAD, Failure, Reason, attempt, cores
from pipeline.errors import UserError

T = TypeVar("T")
R = TypeVar("R")
Outcome = tuple[T, R | Reason]
Stream = Callable[[Sequence[T], int], Iterator[Outcome[T, R]]]
BLOCK = 256  # videos that a GPU is given at once; their results come back one by one
PATIENCE = 30  # seconds without a result until it is asked whether any node is left


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Joins the cluster at `address`, else at $RAY_ADDRESS, else starts one of this machine alone.

    Raises UserError: Ray is not installed, or there is no such cluster, or one of another version.
    """
    # before Ray is imported: it reports to nobody, and leaves it to torch which GPU a task sees
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UserError(
            "engine.kind is ray, and Ray is not installed; run `pip install '.[ray]'` on every "
            "machine of the cluster, or set engine.kind to local"
        ) from None
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    own = {"num_cpus": cores(), "include_dashboard": False} if where == "local" else {}
    environment = {"env_vars": dict.fromkeys(ONE_THREAD, "1")}
    try:
        _knock(where)
        ray.init(
            where, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR, **own
        )
    except Exception as fault:  # Ray raises all kinds, the bare one too
        ray.shutdown()
        raise UserError(
            f"engine.address: no Ray cluster could be joined at {where!r} "
            f"({' '.join(str(fault).split())}); start it with `ray start`, with the same "
            "RAY_AUTH_MODE here and there; docs/cluster.md says how"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _knock(where: str) -> None:
    """Raises OSError if nobody answers at host:port; Ray itself would try for minutes."""
    found = re.fullmatch(r"([^/]+):([0-9]+)", where)
    if found:
        socket.create_connection((found[1], int(found[2])), timeout=10).close()


def gpus() -> int:
    """GPUs of the cluster that is connected."""
    return _count("GPU")


def results(
    work: Callable[[T], R],
    items: Sequence[T],
    failures: list[Failure[T]],
    *,
    label: str,
    workers: int | None = None,
    timeout: float | None = None,
) -> Iterator[tuple[T, R]]:
    """As `engine.results`, on the cluster that is connected; None: twice its cores are in work."""
    found = _shown(outcomes(work, items, workers, timeout), len(items), label)
    return told_apart(found, failures)


def streamed(
    work: Stream[T, R],
    items: Sequence[T],
    failures: list[Failure[T]],
    *,
    label: str,
    workers: int | None = None,
) -> Iterator[tuple[T, R]]:
    """As `results`, where `work` runs once a GPU and yields what comes of many items.

    It is called with some items, and with how many videos it may have read ahead of the GPU.
    """
    found = _shown(_streams(work, items, workers), len(items), label)
    return told_apart(found, failures)


def told_apart(found: Iterable[Outcome[T, R]], failures: list[Failure[T]]) -> Iterator[tuple[T, R]]:
    """The results; the other items go to `failures`."""
    for item, outcome in found:
        if isinstance(outcome, Reason):
            failures.append(Failure(item, outcome.text))
        else:
            yield item, outcome


def _shown(found: Iterable[Outcome[T, R]], total: int, label: str) -> Iterable[Outcome[T, R]]:
    return tqdm(found, total=total, desc=label, unit="video", disable=None)


def outcomes(
    work: Callable[[T], R], items: Sequence[T], ahead: int | None, timeout: float | None
) -> Iterator[Outcome[T, R]]:
    """What comes of each item, as they are done; `ahead` are in work or wait to be asked for.

    An item that takes longer than `timeout` seconds fails (None: no limit). May be called inside a
    task.
    """
    todo = items
    for at_once in (ahead, ahead, 1):
        todo = yield from _tasks(work, todo, at_once, timeout)
    yield from ((item, Reason(DIED)) for item in todo)


def _tasks(
    work: Callable[[T], R], items: Sequence[T], at_once: int | None, timeout: float | None
) -> Generator[Outcome[T, R], None, list[T]]:
    """A task an item; returns the items whose process or node died."""
    import ray

    task = ray.remote(num_cpus=1, max_retries=0)(_in_project)
    arguments = str(Path.cwd()), ray.put(work)
    todo, died, running = deque(items), list[T](), dict[Any, T]()
    while todo or running:
        while todo and len(running) < (at_once or 2 * _count("CPU")):
            item = todo.popleft()
            running[task.remote(*arguments, item, timeout)] = item
        for answer in _next_done(running, "CPU"):
            item = running.pop(answer)
            outcome = _fetched(answer)
            if outcome is None:
                died.append(item)
            else:
                yield item, outcome[0]
    return died


def _streams(
    work: Stream[T, R], items: Sequence[T], workers: int | None
) -> Iterator[Outcome[T, R]]:
    todo = items
    for size, at_once in ((BLOCK, None), (BLOCK, None), (1, 1)):
        blocks = [todo[start : start + size] for start in range(0, len(todo), size)]
        todo = yield from _blocks(work, blocks, at_once, workers)
    yield from ((item, Reason(DIED)) for item in todo)


def _blocks(
    work: Stream[T, R], blocks: Sequence[Sequence[T]], at_once: int | None, workers: int | None
) -> Generator[Outcome[T, R], None, list[T]]:
    """A GPU a block; returns the items of those whose process or node died before their result."""
    import ray

    options = {"num_gpus": 1, "num_cpus": 0, "max_calls": 0, "max_retries": 0}
    task = ray.remote(num_returns="streaming", **options)(_stream_in_project)
    arguments = str(Path.cwd()), ray.put(work)
    todo, died, running = deque(blocks), list[T](), dict[Any, set[T]]()
    while todo or running:
        while todo and len(running) < (at_once or max(1, gpus())):
            ahead = (workers or 2 * _count("CPU")) // max(1, gpus())
            block = todo.popleft()
            running[task.remote(*arguments, block, max(1, ahead))] = set(block)
        for stream in _next_done(running, "GPU"):
            answer = next(stream, None)
            outcome = _fetched(answer) if answer else None
            if outcome is None:
                died += running.pop(stream)
            else:
                item, result = outcome[0]
                running[stream].remove(item)
                yield item, result
    return died


def _count(resource: str) -> int:
    import ray

    return int(ray.cluster_resources().get(resource, 0))


def _next_done(running: Iterable[Any], resource: str) -> list[Any]:
    """The next answer there is. Raises UserError if no node is left that could give one."""
    import ray

    while True:
        done, _ = ray.wait(list(running), num_returns=1, timeout=PATIENCE, fetch_local=False)
        if done:
            return done
        if not _count(resource):
            raise UserError(
                f"the Ray cluster has no node with a {resource} left; add nodes, and run again: "
                "finished videos are kept"
            )


def _fetched(answer: Any) -> tuple[Any] | None:
    """What a task gave; None if its process, its node or its result was lost.

    Raises UserError: what the task told is not of one video, or a node cannot run tasks at all.
    """
    import ray

    try:
        return (ray.get(answer),)
    except ray.exceptions.RayTaskError as fault:
        if isinstance(fault.cause, UserError):
            raise fault.cause from None
        reason = str(fault.cause).partition("\n")[0]
        raise UserError(
            f"a node of the Ray cluster cannot do the work ({type(fault.cause).__name__}: "
            f"{reason}); every node needs this project in {Path.cwd()}, and the same "
            "Python packages; see docs/cluster.md"
        ) from None
    except ray.exceptions.RayError:
        return None


def _in_project(folder: str, work: Callable[[T], R], item: T, timeout: float | None) -> R | Reason:
    """Runs in a task: all paths are below the project's folder, the same on every node."""
    os.chdir(folder)
    return attempt(work, item, timeout)


def _stream_in_project(
    folder: str, work: Stream[T, R], items: Sequence[T], ahead: int
) -> Iterator[Outcome[T, R]]:
    os.chdir(folder)
    yield from work(items, ahead)
