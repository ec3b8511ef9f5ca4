"""Windows of cached frames and flow, read by processes ahead of the training that sees them.

What stages `decode` and `flow` published is read by index: of a video's file no more is decoded
than leads to the frames of its windows.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline import lossless
from pipeline.errors import UserError
from pipeline.finetune import windows
from pipeline.shards import Shards
from pipeline.video import Frames, centre

AHEAD = 4  # videos that a process reads ahead


class Request(NamedTuple):
    """Which windows of a video are wanted."""

    key: str
    rgb: tuple[float, ...]
    """Where each window of RGB lies, shares in [0, 1) of where it may."""
    flow: tuple[float, ...] | None
    """The same of flow; None: where those of RGB lie."""


class Clips(NamedTuple):
    """Windows of some videos as 8-bit codes."""

    rgb: Tensor
    """(n, K, F, h, w, 3) uint8."""
    flow: Tensor
    """(n, K, F, h, w, 2) uint8, x and y."""


@dataclass(frozen=True)
class Cache:
    """A domain's frames and flow as they were published; windows have `length` frames."""

    frames: Path
    flow: Path
    length: int

    def read(self, wanted: Request) -> tuple[Frames, Frames]:
        """A video's windows (K, F, h, w, 3) and (K, F, h, w, 2).

        Raises UserError: not there, damaged, or without that many consecutive frames.
        """
        shards = [_opened(folder, os.getpid()) for folder in (self.frames, self.flow)]
        size = int(shards[0].provenance["decode"]["size"])
        shown: list[int] = []  # the first frame of each window of RGB

        def of_rgb(note: Mapping[str, Any]) -> windows.Numbers:
            rows = _rows(note["numbers"], self.length, wanted.rgb)
            shown.extend(note["numbers"][row] for row in rows[:, 0])
            return rows

        def of_flow(note: Mapping[str, Any]) -> windows.Numbers:
            if wanted.flow is None:
                return _beside(note["pairs"], self.length, shown)
            return _rows(note["pairs"], self.length, wanted.flow)

        pictures = _pictures(shards[0], wanted.key, of_rgb)
        codes = _pictures(shards[1], wanted.key, of_flow)
        fields = codes.reshape(*codes.shape[:2], 2, -1, codes.shape[-1]).transpose(0, 1, 3, 4, 2)
        return _centre(pictures, size), _centre(fields, size)

    def provenance(self) -> dict[str, Any]:
        """What shaped the frames and the flow."""
        frames, flow = (dict(Shards(folder).provenance) for folder in (self.frames, self.flow))
        flow.pop("implementation", None)  # which of several that give the same flow
        return {"frames": frames, "flow": flow}

    def fingerprints(self, keys: Sequence[str]) -> list[str]:
        """What each video's frames and flow were made from."""
        shards = [Shards(folder) for folder in (self.frames, self.flow)]
        absent = [key for key in keys if any(key not in part.fingerprints for part in shards)]
        if absent:
            raise UserError(
                f"{self.frames} or {self.flow} lacks {len(absent)} videos of the index, "
                f"{absent[0]!r} first; run `dvc repro` to make them, with features.stream: false"
            )
        return [part.fingerprints[key] for key in keys for part in shards]


@dataclass(frozen=True)
class Reading(Dataset[tuple[Tensor, Tensor] | str]):
    """A list of requests to the caches, an item a video."""

    requests: Sequence[tuple[Cache, Request]]

    def __len__(self) -> int:
        return len(self.requests)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor] | str:
        """A video's windows, or what is wrong with them: a traceback would tell nobody."""
        cache, wanted = self.requests[item]
        try:
            rgb, flow = cache.read(wanted)
        except UserError as fault:
            return str(fault)
        return torch.from_numpy(rgb), torch.from_numpy(flow)


def loaded(
    parts: Sequence[tuple[Cache, Sequence[Request]]], *, workers: int, device: torch.device
) -> Iterator[Clips]:
    """The clips of each part in turn, on a device, which need not have them when they are given.

    Args: parts, of one number of windows each; workers, processes that read ahead, 0: this one.
    Raises UserError: clips that cannot be read.
    """
    flat = Reading([(cache, one) for cache, wanted in parts for one in wanted])
    loader = DataLoader(
        flat,
        batch_size=None,
        num_workers=workers if len(flat) > 1 else 0,
        prefetch_factor=AHEAD if workers and len(flat) > 1 else None,
        pin_memory=device.type == "cuda",
        worker_init_fn=_alone,
    )
    videos = iter(loader)
    for _, wanted in parts:
        read = [_read(videos) for _ in wanted]
        yield Clips(*(_on(device, codes) for codes in zip(*read, strict=True)))


def _read(videos: Iterator[tuple[Tensor, Tensor] | str]) -> tuple[Tensor, Tensor]:
    try:
        video = next(videos)
    except RuntimeError as fault:  # PyTorch's only word for a process that is no more
        if "DataLoader worker" not in str(fault):
            raise
        wrong = str(fault).splitlines()[0]
        raise UserError(
            f"a process that reads clips ahead has died ({wrong}); free some memory, or lower "
            "engine.workers; finished epochs are kept, the next run goes on from here"
        ) from None
    if isinstance(video, str):
        raise UserError(video)
    return video


def _on(device: torch.device, videos: Sequence[Tensor]) -> Tensor:
    """Codes of some videos, stacked where they are used: copies of pinned memory do not wait."""
    return torch.stack([codes.to(device, non_blocking=True) for codes in videos])


def _alone(worker: int) -> None:
    torch.set_num_threads(1)


@lru_cache(maxsize=8)
def _opened(folder: Path, process: int) -> Shards:
    """A folder's shards, opened by each process for itself: a shared file has one position."""
    return Shards(folder)


def _rows(numbers: Sequence[int], length: int, shares: Sequence[float]) -> windows.Numbers:
    return np.stack([windows.drawn(numbers, length, share) for share in shares])


def _beside(pairs: Sequence[int], length: int, shown: Sequence[int]) -> windows.Numbers:
    """Rows of flow beside windows of RGB that begin with the frames `shown`, or a frame before."""
    first = windows.starts(pairs, length)
    if not len(first):
        return _rows(pairs, length, [0.0] * len(shown))
    begins = np.asarray(pairs)[first]
    nearest = first[np.maximum(np.searchsorted(begins, shown, side="right") - 1, 0)]
    return nearest[:, None] + np.arange(length)


def _pictures(shards: Shards, key: str, choose: Any) -> Frames:
    """Pictures (K, F, ...) of a video at the rows that are chosen by its note."""
    chosen: list[windows.Numbers] = []

    def distinct(note: Mapping[str, Any]) -> list[int]:
        chosen.append(choose(note))
        return np.unique(chosen[0]).tolist()

    try:
        pictures, _ = lossless.decode(shards.read(key), distinct)
    except UserError as fault:
        raise UserError(f"{key}: {fault}") from None
    return pictures[np.searchsorted(np.unique(chosen[0]), chosen[0])]


def _centre(pictures: Frames, size: int) -> Frames:
    """Pictures (K, F, h, w, d) -> their centre squares, in memory of their own."""
    count, length = pictures.shape[:2]
    cut = centre(pictures.reshape(-1, *pictures.shape[2:]), size)
    return np.ascontiguousarray(cut).reshape(count, length, *cut.shape[1:])
