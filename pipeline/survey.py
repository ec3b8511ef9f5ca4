"""What the headers of video files say, and what their first frames look like."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import engine, video_file
from pipeline.datasets.listing import Listed
from pipeline.errors import VideoError

HASH = 8  # rows and columns of the coarse picture whose differences are hashed
NEAR, LASTING = 6, 0.1  # bits of 64, share of the duration: closer videos are near-duplicates
PLAIN = 8.0  # deviation of grey values; what varies less, such as black, is like anything


@dataclass(frozen=True, eq=False)
class Header:
    """One video as its file describes it.

    frames   as promised, or by duration and rate     bits  64 booleans, None for a plain picture
    """

    listed: Listed
    seconds: float
    frames: int
    fps: float
    width: int
    height: int
    codec: str
    bits: NDArray[np.bool_] | None


def read(root: Path, listed: Sequence[Listed]) -> tuple[list[Header], dict[str, str]]:
    """The headers in the order of the list, and why others cannot be opened, by key."""
    with ThreadPoolExecutor(2 * engine.cores()) as pool:
        found = list(pool.map(partial(_attempt, root), listed))
    headers = [one for one in found if isinstance(one, Header)]
    faults = {
        one.key: reason
        for one, reason in zip(listed, found, strict=True)
        if not isinstance(reason, Header)
    }
    return headers, faults


def _attempt(root: Path, one: Listed) -> Header | str:
    try:
        return _header(root, one)
    except VideoError as fault:
        return str(fault)


def _header(root: Path, one: Listed) -> Header:
    section = video_file.Section(root / one.path, one.start, one.stop)
    with video_file.opened(section) as reader:
        end = reader.promised_end() or 0.0
        seconds = max(0.0, end - reader.start)
        context = reader.stream.codec_context
        frames = reader.promised_frames() or round(seconds * reader.fps)
        width, height, codec, fps = context.width, context.height, context.name, reader.fps
        first = next(iter(reader), None)
        if first is None:
            raise VideoError("no frame of it can be decoded; replace it or skip it")
        bits = _bits(np.asarray(first.to_ndarray(format="gray"), np.uint8))
    return Header(one, seconds, max(frames, 1), fps, width, height, codec, bits)


def _bits(grey: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Whether each cell of a coarse picture is brighter than its left neighbour (dHash)."""
    small = cv2.resize(grey, (HASH + 1, HASH), interpolation=cv2.INTER_AREA).astype(np.int16)
    return None if small.std() < PLAIN else (small[:, 1:] > small[:, :-1]).ravel()


def near_duplicates(some: Sequence[Header], others: Sequence[Header]) -> list[tuple[str, str]]:
    """Keys of videos of two domains that begin alike and last alike: perhaps the same ones.

    Each of `some` stands there once at most, beside the one of the others that is most like it.
    """
    told = [one for one in others if one.bits is not None]
    if not told:
        return []
    bits = np.array([_number(one) for one in told])
    lasting = np.array([one.seconds for one in told])
    pairs: list[tuple[str, str]] = []
    for one in some:
        if one.bits is None:
            continue
        apart = np.bitwise_count(bits ^ _number(one))
        apart[np.abs(lasting - one.seconds) > LASTING * max(one.seconds, 0.1)] = HASH**2
        row = apart.argmin()
        if apart[row] <= NEAR:
            pairs.append((one.listed.key, told[row].listed.key))
    return pairs


def _number(one: Header) -> np.uint64:
    """A header's bits as one number."""
    assert one.bits is not None
    return np.packbits(one.bits).view(np.uint64)[0]
