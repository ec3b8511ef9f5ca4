"""Whether an AVI is as long as it says: FFmpeg plays one that was cut off as a shorter film."""

import struct
from pathlib import Path

_HEADER = struct.Struct("<4sI")
_UNKNOWN = 0xFFFFFFF0  # so long, or longer: written by what did not know the end, as is 0


def missing(path: Path) -> float:
    """The share of an AVI file that is not there, 0 where it does not say how long it is.

    Only its first chunk tells; a file beyond 1 or 2 GB has several.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
    mark, size = _HEADER.unpack(head) if len(head) == _HEADER.size else (b"", 0)
    if mark != b"RIFF" or size >= _UNKNOWN:
        return 0.0
    due = size + _HEADER.size
    return max(0.0, 1 - path.stat().st_size / due)
