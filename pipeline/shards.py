"""Containers of one file a video: tens of zip shards in place of thousands of small files.

A video's shard follows from a hash of its key, so adding videos rewrites few shards and leaves
the bytes of the others alone: DVC neither stores nor pushes those again. The number of shards is
the smallest power of two that keeps them below `LIMIT` on average; a doubling splits each in two.

Each shard is a plain, uncompressed zip: `shard.json` (provenance, and the fingerprint of every
entry) and one file a video: Matroska, or a JPEG picture. Any unzip program opens it.
"""

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.fingerprint import share

LIMIT = 256 * 2**20  # bytes a shard, on average
_CARD = "shard.json"
MATROSKA, JPEG = ".mkv", ".jpg"  # what the files of entries end in
_OPEN = 64  # shards; their directories are read once, and a process may have 1024 files open
_DAMAGE = (
    *(zipfile.BadZipFile, AttributeError, EOFError, LookupError, MemoryError, OSError),
    *(OverflowError, RuntimeError, TypeError, ValueError),
)


def spread(sizes: Mapping[str, int], limit: int = LIMIT) -> list[list[str]]:
    """Keys with their sizes in bytes -> the sorted keys of each shard."""
    ideal = max(1, math.ceil(sum(sizes.values()) / limit))
    count = 1 << (ideal - 1).bit_length()
    shards: list[list[str]] = [[] for _ in range(count)]
    for key in sorted(sizes):
        shards[int(share(key) * count)].append(key)
    return shards


def publish(
    folder: Path,
    contents: Mapping[str, bytes],
    *,
    fingerprints: Mapping[str, str],
    sizes: Mapping[str, int],
    provenance: Mapping[str, Any],
    suffix: str = MATROSKA,
    limit: int = LIMIT,
) -> None:
    """Writes shards of key -> content; `folder` appears whole or not at all.

    `contents` are asked for one by one; `sizes` are their lengths in bytes; the name of each file
    is its key and `suffix`.
    """
    with atomic.new_folder(folder) as aside:
        for number, keys in enumerate(spread(sizes, limit)):
            card = {**provenance, "entries": {key: fingerprints[key] for key in keys}}
            with zipfile.ZipFile(aside / f"{number:04d}.zip", "w") as shard:
                text = json.dumps(card, sort_keys=True, indent=1, ensure_ascii=False)
                shard.writestr(_undated(_CARD), text)
                for key in keys:
                    shard.writestr(_undated(key + suffix), contents[key])


def _undated(name: str) -> zipfile.ZipInfo:
    """A zip member whose header is the same whenever and wherever it is written."""
    member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    member.create_system = 3
    member.external_attr = 0o644 << 16
    return member


class Shards:
    """A published folder, for reading."""

    def __init__(self, folder: Path, suffix: str = MATROSKA) -> None:
        self.suffix = suffix
        self.provenance: dict[str, Any] = {}
        self.fingerprints: dict[str, str] = {}
        self._shard: dict[str, Path] = {}
        self._opened = lru_cache(maxsize=_OPEN)(zipfile.ZipFile)
        paths = sorted(folder.glob("*.zip"))
        if not paths:
            raise UserError(f"{folder}: no shards in it; run `dvc repro` or `dvc pull` to make it")
        for path in paths:
            self._list(path)

    def _list(self, path: Path) -> None:
        with _undamaged(path):
            card = json.loads(_content(self._opened(path), _CARD))
            entries = card.pop("entries")
            if not all(isinstance(fingerprint, str) for fingerprint in entries.values()):
                raise ValueError("fingerprints that are no text")
        if card != (self.provenance or card):
            raise UserError(f"{path.parent}: its shards come from different runs; run `dvc repro`")
        self.provenance = card
        self.fingerprints |= entries
        self._shard |= dict.fromkeys(entries, path)

    def read(self, key: str) -> bytes:
        """One video's file. Raises KeyError for an unknown key, UserError for a damaged shard."""
        path = self._shard[key]
        with _undamaged(path):
            return _content(self._opened(path), key + self.suffix)


def _content(shard: zipfile.ZipFile, name: str) -> bytes:
    """A member, which `publish` never packs: a packed one could unfold to any size."""
    if shard.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is packed")
    return shard.read(name)


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    """Tells of damage in plain words, whatever zipfile or json stumble over."""
    try:
        yield
    except _DAMAGE as fault:
        wrong = " ".join(str(fault).split())[:200]
        raise UserError(
            f"{path}: damaged shard ({wrong}); delete it, run `python -m pipeline.verify`, which "
            "finds what else is damaged, then `dvc repro`"
        ) from None


def opened(folder: Path) -> Shards:
    """A published folder, listed once a process, and again when it was published anew."""
    if not folder.exists():
        return Shards(folder)
    status = folder.stat()
    return _opened(folder, (status.st_ino, status.st_mtime_ns))


@lru_cache(maxsize=4)
def _opened(folder: Path, edition: tuple[int, int]) -> Shards:
    return Shards(folder)
