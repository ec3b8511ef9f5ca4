"""Seeded mutations: what a broken disk, a careless program or an enemy makes of a file.

A mutant is told by its number alone, so that a finding can be made again.
"""

import random
import struct
from collections.abc import Callable, Sequence

Operation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

LARGEST = 2**22  # bytes of a mutant
_EXTREMES = (0, 1, -1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_WIDER = (2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def mutant(samples: Sequence[bytes], words: Sequence[bytes], number: int) -> bytes:
    """The mutant of this number: a few operations on one of the samples.

    Args:
        samples: whole files.
        words: what means something in this format, to be put anywhere.
        number: any.
    """
    rng = random.Random(number)
    content = rng.choice(samples)
    pool = [*samples, *words]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        content = rng.choice(_OPERATIONS)(rng, content, pool)[:LARGEST]
    return content


def _place(rng: random.Random, content: bytes) -> int:
    """Anywhere, but more often where headers stand: at both ends."""
    size = len(content)
    near = min(size, 512)
    return rng.choice(
        (rng.randrange(size + 1), rng.randrange(near + 1), size - rng.randrange(near + 1))
    )


def _span(rng: random.Random, content: bytes) -> tuple[int, int]:
    start = _place(rng, content)
    return start, min(len(content), start + rng.choice((1, 2, 4, 16, 256, 4096, 65536)))


def _put(content: bytes, place: int, new: bytes, instead: int) -> bytes:
    return content[:place] + new + content[place + instead :]


def _flip(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """Turns a bit."""
    if not content:
        return content
    place = min(_place(rng, content), len(content) - 1)
    return _put(content, place, bytes([content[place] ^ 1 << rng.randrange(8)]), 1)


def _number(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """Writes an extreme number over what may be a length."""
    size, order = rng.choice((1, 2, 4, 8)), rng.choice("<>")
    value = rng.choice(_EXTREMES + _WIDER * (size == 8)) % 2 ** (8 * size)
    new = struct.pack(f"{order}{ {1: 'B', 2: 'H', 4: 'I', 8: 'Q'}[size] }", value)
    return _put(content, _place(rng, content), new, size)


def _truncate(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    return content[: _place(rng, content)]


def _cut(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    start, stop = _span(rng, content)
    return content[:start] + content[stop:]


def _repeat(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    start, stop = _span(rng, content)
    return content[:stop] + content[start:stop] * rng.choice((1, 2, 100)) + content[stop:]


def _noise(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    start, stop = _span(rng, content)
    new = bytes(stop - start) if rng.random() < 0.3 else rng.randbytes(stop - start)
    return _put(content, start, new, stop - start)


def _splice(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """The beginning of this and the end of another."""
    other = rng.choice(pool)
    return content[: _place(rng, content)] + other[_place(rng, other) :]


def _move(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """Writes a piece over another place."""
    start, stop = _span(rng, content)
    return _put(content, _place(rng, content), content[start:stop], stop - start)


def _insert(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    return _put(content, _place(rng, content), rng.choice(pool), 0)


def _exchange(rng: random.Random, content: bytes, pool: Sequence[bytes]) -> bytes:
    """One word of the format where another stood."""
    there = [word for word in pool if word and word in content]
    if not there:
        return _insert(rng, content, pool)
    return content.replace(rng.choice(there), rng.choice(pool), rng.choice((1, 1, 50)))


_OPERATIONS: tuple[Operation, ...] = (
    *(_flip, _flip, _number, _number, _truncate, _cut, _repeat, _noise),
    *(_splice, _move, _insert, _exchange),
)
