"""Threads that work ahead of whoever needs their results, in order, and not too far."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def mapped(function: Callable[[A], B], items: Iterable[A], *, ahead: int) -> Iterator[B]:
    """Yields function(item) of each item, in order; threads hold at most `ahead` items and results.

    The items are drawn by the caller's thread, so a generator that drives a GPU may give them. What
    `function` raises is raised here, in the item's turn.
    """
    threads = min(ahead, len(os.sched_getaffinity(0)))
    pending: deque[Future[B]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) == ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
