"""Where time goes, by parts that may stand inside each other."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from pipeline import atomic, extraction, store, video
from pipeline.decoding import VideoDecoder
from pipeline.flow_extraction import FlowExtractor

STREAM: Mapping[str, tuple[Any, str]] = {
    "decode": (VideoDecoder, "__call__"),
    "resize": (video._Resizer, "__call__"),
    "flow": (FlowExtractor, "__call__"),
    "I3D": (extraction.Extractor, "__call__"),
    "store": (atomic, "write_file"),
    "publish": (store, "write"),
}


class Clock:
    """Seconds of wall time by part; what runs inside another part does not count for that one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = [0.0]

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, whose calls count for `part`."""

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            start = time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                total = time.perf_counter() - start
                self.seconds[part] += total - self._inside.pop()
                self._inside[-1] += total

        return wrapper

    @contextmanager
    def watching(self, parts: Mapping[str, tuple[Any, str]] = STREAM) -> Iterator[None]:
        """Times these functions, a class or module and a name each, while the block runs."""
        with ExitStack() as stack:
            for part, (owner, name) in parts.items():
                work = self.timed(part, getattr(owner, name))
                stack.enter_context(mock.patch.object(owner, name, work))
            yield
