"""What a reader of files of others is given: words that mean something; and its form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TEXTS = (  # in Python's own spelling
    r"../outside/walk/secret.avi\x201 ../outside/secret.mp4 /etc/passwd\x201 .. / /etc/passwd \\",
    r"\x20 \t \n \r \r\n \0 , \" ' -rf --help http://127.0.0.1:9/ file: concat:a|b =cmd() <script>",
    r"%s%n 0 -1 1e999 nan null true {} [] \u202e \u2028 \x85 \ufeff e\u0301 \u00e9 \U0001f600 \x7f",
    r"\x1b[2J \ud800",
)
WORDS = tuple(
    word.encode().decode("unicode_escape").encode("utf-8", "surrogatepass")
    for word in (*" ".join(_TEXTS).split(), "", "9" * 5000, "1" * 400, "a" * 300)
)


@dataclass(frozen=True)
class Reader:
    """What reads `place` in a folder, whole samples of it, and what stands beside it."""

    place: str
    samples: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    words: Sequence[bytes] = tuple(WORDS)
    prepare: Callable[[Path], object] = lambda folder: None
