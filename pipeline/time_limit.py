"""A limit to the time that work may take, whatever it hangs in."""

import faulthandler
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import VideoError

GRACE = 10.0  # seconds in which Python code gives up by itself


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Ends a block that takes longer; to be used on a process's main thread. None: no limit.

    Raises VideoError in the block, as soon as Python code runs there. If none does within GRACE,
    since a decoder hangs, the process ends: no exception can reach that far.
    """
    if seconds is None:
        yield
        return

    def give_up(*_: Any) -> None:
        raise VideoError(
            f"not done after {seconds:g} s (engine.video_timeout); raise that limit if the video "
            "is worth it, or skip it"
        )

    signal.signal(signal.SIGALRM, give_up)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=nowhere)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
