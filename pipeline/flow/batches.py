"""8-bit flow of many videos on one device: the pairs of all videos of a size share its batches.

Batches are stacked by a thread while the device works on those before, and what a video gets does
not depend on its company, so batches need not begin or end with a video.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.flow.ahead import mapped
from pipeline.flow.batched_tvl1 import to_code, tvl1_many
from pipeline.flow.parameters import TVL1

T = TypeVar("T")
Codes = NDArray[np.uint8]
PIXELS = 256 * 340 * 256  # of a batch, counted in one frame of each pair; each takes some 120 bytes
_DEFAULTS = TVL1()


@dataclass
class _Video(Generic[T]):
    """A video whose pairs are on their way, and the codes that have come back."""

    item: T
    count: int
    codes: list[Codes] = field(default_factory=list)

    def complete(self) -> bool:
        return sum(map(len, self.codes)) == self.count


_Part = tuple[_Video[T], Codes]  # some pairs (k, 2, h, w) of a video


def codes(
    videos: Iterable[tuple[T, Codes]],
    *,
    device: torch.device,
    bound: float,
    parameters: TVL1 = _DEFAULTS,
    pixels: int = PIXELS,
) -> Iterator[tuple[T, Codes]]:
    """Computes the flow of the videos' pairs and codes it as `pipeline.flow.to_code` does.

    Args:
        videos: what to call a video, and its pairs of grey frames, uint8 (n, 2, h, w), n >= 1.
        device: where to compute.
        bound: of the code, px, above 0.
        parameters: of the algorithm.
        pixels: of a batch, at most, if that is a pair or more.

    Yields:
        Each video and its codes, uint8 (n, 2 h, w), x above y, once its last pair is done: videos
        of one size in their order.

    Raises:
        ValueError: A video has no pair, or what it has are not pairs of grey frames.
    """

    def stacked(parts: list[_Part[T]]) -> tuple[list[_Part[T]], Tensor]:
        pairs = torch.from_numpy(np.concatenate([pairs for _, pairs in parts]))
        return parts, pairs.pin_memory() if device.type == "cuda" else pairs

    for parts, pairs in mapped(stacked, _batches(videos, pixels), ahead=2):
        flow = tvl1_many(pairs.to(device, non_blocking=True), parameters)
        rows = to_code(flow, bound).flatten(1, 2).cpu().numpy()
        for video, part in parts:
            video.codes.append(rows[: len(part)])
            rows = rows[len(part) :]
            if video.complete():
                yield video.item, np.concatenate(video.codes)


def _batches(videos: Iterable[tuple[T, Codes]], pixels: int) -> Iterator[list[_Part[T]]]:
    """Cuts the videos into full batches of one size; what is left over follows at the end."""
    waiting: dict[tuple[int, ...], list[_Part[T]]] = {}
    for item, pairs in videos:
        if not len(pairs):
            raise ValueError(f"batched optical flow needs at least one pair a video; {item}: none")
        video, shape = _Video(item, len(pairs)), pairs.shape[1:]
        limit = max(1, pixels // (shape[-1] * shape[-2]))
        while len(pairs):
            parts = waiting.setdefault(shape, [])
            space = limit - sum(len(part) for _, part in parts)
            parts.append((video, pairs[:space]))
            pairs = pairs[space:]  # noqa: PLW2901
            if len(parts[-1][1]) == space:
                yield waiting.pop(shape)
    yield from waiting.values()
