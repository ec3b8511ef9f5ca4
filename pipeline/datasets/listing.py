"""What a data set says of its videos: where each is, its split, and its label if it has one."""

from dataclasses import dataclass

from pipeline.index import Split


@dataclass(frozen=True)
class Listed:
    """One video, or one segment of a longer one.

    key    unique in its domain: the path below the domain's root, with `#<uid>` for a segment
    path   the file, POSIX, below the domain's root
    split  "train" or "test"
    label  class name, or None where nobody knows
    start, stop  the segment in seconds from the file's beginning; None: the whole file
    """

    key: str
    path: str
    split: Split
    label: str | None = None
    start: float | None = None
    stop: float | None = None
