"""Shards and pictures that are not what their notes say."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import films
import numpy as np
from hostile_means import GIGABYTES, Crafted, deflated_zeros, zip_of

from pipeline import lossless


def _matroska(side: int = 32, **note: Any) -> bytes:
    frames = np.zeros((9, side, side, 3), np.uint8)
    whole = {"numbers": list(range(9)), "n_frames": 9, "fps": 25.0}
    return lossless.encode(frames, fps=25, note=whole | note)


def _pictures(folder: Path) -> Crafted:
    films.write(folder / "other.mkv", 5)
    wide = (
        _matroska(512)
        .replace(b"\xb0\x82\x02\0", b"\xb0\x82\x7f\xff")
        .replace(b"\xba\x82\x02\0", b"\xba\x82\x7f\xff")
    )
    assert len(wide.split(b"\x82\x7f\xff")) == 3
    return {
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
        "list": b"ffconcat version 1.0\nfile film.ts\n",
        "another codec": (folder / "other.mkv").read_bytes(),
        "no note": _matroska().replace(b"NOTE", b"NOPE"),
        "wide": wide,
        "cut off": _matroska()[:500],
        "empty": b"",
    }


def _shards(folder: Path) -> Crafted:
    def shard(card: object, film: bytes | None = None) -> bytes:
        text = card if isinstance(card, bytes) else json.dumps(card).encode()
        return zip_of({"shard.json": text, "a.mp4.mkv": film or _matroska()}, {})

    plan = {"segments": 1, "windows": 1, "frames": 8, "sampling": "spread"}
    whole = {"clips": plan, "decode": {"size": 32}, "entries": {"a.mp4": "f" * 64}}
    zeros = (deflated_zeros(GIGABYTES), 2**32 - 2)
    return {
        "zeros": zip_of({"shard.json": json.dumps(whole).encode()}, {"a.mp4.mkv": zeros}),
        "zeros for a card": zip_of({"a.mp4.mkv": b""}, {"shard.json": zeros}),
        "list": shard([]),
        "entries": shard(whole | {"entries": [["a.mp4", "f"]]}),
        "numbers": shard(whole | {"entries": {"a.mp4": 1}}),
        "deep": shard(b"[" * 100_000),
        "many clips": shard(whole | {"clips": plan | {"segments": 10**9}}),
        "no clips": shard({"entries": whole["entries"]}),
        "large": shard(whole | {"decode": {"size": 10**6}}),
        "no size": shard(whole | {"decode": None}),
        "one frame": shard(whole, _matroska(n_frames=1)),
        "endless frames": shard(whole, _matroska(n_frames=10**30)),
        "other frames": shard(whole, _matroska(n_frames=10**6)),
        "other numbers": shard(whole, _matroska(numbers=list(range(8)))),
        "texts": shard(whole, _matroska(numbers=["a"] * 9)),
        "pictures of others": shard(whole, _pictures(folder)["another codec"]),
    }


SHARDS: Mapping[str, Callable[[Path], Crafted]] = {"lossless": _pictures, "shards": _shards}
