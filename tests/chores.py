"""What workers of the tests are told to do; imports little, so that they start fast."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError, VideoError
from pipeline.per_video import Job


@dataclass(frozen=True)
class Chore:
    """What a worker is to do, and the file that it leaves when it is done."""

    what: str
    mark: Path


def work(chore: Chore) -> None:
    """Does as it is told."""
    if chore.what == "bad video":
        raise VideoError("cut off; replace it")
    if chore.what == "silent video error":
        raise VideoError("")
    if chore.what == "bug":
        raise RuntimeError("surprise")
    if chore.what == "nothing works":
        raise UserError("no weights there; fetch them")
    if chore.what == "slow":
        time.sleep(20)
    while chore.what == "endless":
        pass
    if chore.what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if chore.what == "aborted":
        os.abort()
    chore.mark.write_text(os.environ.get("OMP_NUM_THREADS", ""))


def doubled(text: str) -> str:
    """The text twice, or a complaint about it."""
    if text == "bad":
        raise VideoError("cut off")
    return text * 2


def spelled(job: Job) -> bytes:
    """A result for a job: its key, or a complaint about it."""
    if "bad" in job.video.key:
        raise VideoError(f"{job.video.key} is cut off")
    return job.video.key.encode()
