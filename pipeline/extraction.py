"""Features of clips: runs the two backbones."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from pipeline import backbones
from pipeline.errors import UserError
from pipeline.store import VideoFeatures
from pipeline.video_clips import VideoClips

T = TypeVar("T")
# Pixels that a CPU takes at once: one clip of 16 x 224 x 224, or 16 clips of 16 x 64 x 64.
PASS = 2**20


@dataclass(frozen=True)
class Pending:
    """Features (n, d) float32 in this machine's memory, once the GPU, if any, has passed `done`."""

    rgb: Tensor
    flow: Tensor
    done: torch.cuda.Event | None

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Waits for the features."""
        if self.done is not None:
            self.done.synchronize()
        return self.rgb.numpy(), self.flow.numpy()


@dataclass(frozen=True)
class Extractor:
    """The RGB and the flow backbone on one device, their parameters of type `precision`."""

    rgb: nn.Module
    flow: nn.Module
    device: torch.device
    precision: torch.dtype

    def __call__(
        self, rgb: NDArray[np.uint8], flow: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Clips (n, F, h, w, 3) and (n, F, h, w, 2) -> features (n, d) each, float32."""
        return self.start(rgb, flow).arrays()

    @torch.inference_mode()
    def start(self, rgb: NDArray[np.uint8], flow: NDArray[np.uint8]) -> Pending:
        """As a call, but a GPU is still at work when it returns."""
        features = self._features(self.rgb, rgb), self._features(self.flow, flow)
        return Pending(*features, torch.cuda.current_stream().record_event() if self._gpu else None)

    @property
    def _gpu(self) -> bool:
        return self.device.type == "cuda"

    def _features(self, backbone: nn.Module, codes: NDArray[np.uint8]) -> Tensor:
        clips = torch.from_numpy(codes)
        # A GPU copies pinned memory on its own, and takes the batch whole; a CPU's caches hold
        # the maps of few clips.
        passes = [clips.pin_memory()] if self._gpu else clips.split(_clips_a_pass(codes))
        features = torch.cat([backbone(self._scaled(part)) for part in passes])
        return features.to("cpu", non_blocking=True)

    def _scaled(self, codes: Tensor) -> Tensor:
        """Codes (n, F, h, w, c) 0 to 255 -> (n, c, F, h, w) -1 to 1, channels last in memory."""
        values = codes.to(self.device, non_blocking=True).float().div_(255).mul_(2).sub_(1)
        return values.to(self.precision).movedim(-1, 1)


def _clips_a_pass(codes: NDArray[np.uint8]) -> int:
    return max(1, PASS // math.prod(codes.shape[1:4]))


@lru_cache(maxsize=1)
def extractor(name: backbones.Name, folder: Path, precision: str, device: str) -> Extractor:
    """Loads both backbones, once a process.

    Raises UserError: weights are missing, or bfloat16 is asked of a CPU.
    """
    if precision != "float32" and device == "cpu":
        raise UserError(f"features.precision: {precision} needs a GPU, there is none; use float32")
    # float32 means float32, and equal input equal output
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    streams = (backbones.load(name, "rgb", folder), backbones.load(name, "flow", folder))
    kind = getattr(torch, precision)
    rgb, flow = (
        backbones.for_cpu(stream) if device == "cpu" else backbones.for_gpu(stream).to(device, kind)
        for stream in streams
    )
    return Extractor(rgb, flow, torch.device(device), kind)


def extract_video(extractor: Extractor, cut: VideoClips) -> bytes:
    """The features of one video in a batch of its own: a video's result never depends on others."""
    return entry(cut, *extractor(cut.rgb, cut.flow))


def extract_many(
    extractor: Extractor, videos: Iterable[tuple[T, VideoClips]], batch: int
) -> Iterator[tuple[T, bytes]]:
    """The features of many videos in batches of exactly `batch` clips across videos, for a GPU.

    The last batch is filled up with zeros, so every batch has one shape, and one algorithm. The
    features of a batch are fetched when the next one is on its way, so that the GPU never waits.
    """
    waiting: deque[tuple[T, VideoClips]] = deque()
    clips_in: deque[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = deque()
    in_flight: deque[Pending] = deque()
    done: deque[tuple[NDArray[np.float32], NDArray[np.float32]]] = deque()

    def start(least: int) -> None:
        while len(clips_in) >= least and clips_in:
            taken = [clips_in.popleft() for _ in range(min(batch, len(clips_in)))]
            rgb, flow = (np.stack(part) for part in zip(*taken, strict=True))
            in_flight.append(extractor.start(_filled(rgb, batch), _filled(flow, batch)))

    def fetch(left: int) -> Iterator[tuple[T, bytes]]:
        while len(in_flight) > left:
            # rows of what fills up the last batch come last, and nobody asks for them
            done.extend(zip(*in_flight.popleft().arrays(), strict=True))
            while waiting and len(done) >= len(waiting[0][1].rgb):
                item, cut = waiting.popleft()
                rows = [done.popleft() for _ in range(len(cut.rgb))]
                yield item, entry(cut, *(np.stack(part) for part in zip(*rows, strict=True)))

    for item, cut in videos:
        waiting.append((item, cut))
        clips_in.extend(zip(cut.rgb, cut.flow, strict=True))
        start(batch)
        yield from fetch(left=1)
    start(1)
    yield from fetch(left=0)


def _filled(codes: NDArray[np.uint8], batch: int) -> NDArray[np.uint8]:
    """Codes (n, ...) with zeros up to (batch, ...)."""
    return np.pad(codes, [(0, batch - len(codes)), *[(0, 0)] * (codes.ndim - 1)])


def entry(cut: VideoClips, rgb: NDArray[np.float32], flow: NDArray[np.float32]) -> bytes:
    """A video's features as one safetensors file for the staging store."""
    shape = (*cut.plan.frames.shape[:2], -1)
    frames = cut.plan.frames.astype(np.int32)
    return _packed(rgb.reshape(shape), flow.reshape(shape), frames, cut.n_frames, cut.fps)


def entry_of(row: VideoFeatures) -> bytes:
    """A row of the feature store as the entry that it was made from."""
    return _packed(row.rgb, row.flow, row.frames, row.n_frames, row.fps)


def _packed(
    rgb: NDArray[np.float32],
    flow: NDArray[np.float32],
    frames: NDArray[np.int32],
    n_frames: int,
    fps: float,
) -> bytes:
    return safetensors.numpy.save(
        {
            "rgb": np.ascontiguousarray(rgb),
            "flow": np.ascontiguousarray(flow),
            "frames": np.ascontiguousarray(frames),
            "n_frames": np.array([n_frames]),
            "fps": np.array([fps]),
        }
    )


def read_entry(fingerprint: str, content: bytes) -> VideoFeatures:
    """The inverse of `entry`. Raises UserError: damaged, or not of `entry`."""
    try:
        arrays = safetensors.numpy.load(content)
        rgb, flow, frames = (arrays[name] for name in ("rgb", "flow", "frames"))
        if {rgb.dtype, flow.dtype} != {np.dtype(np.float32)} or frames.dtype != np.int32:
            raise ValueError(f"types {rgb.dtype}, {flow.dtype}, {frames.dtype}")
        if rgb.shape != flow.shape or (rgb.ndim, frames.ndim) != (3, 3):
            raise ValueError(f"shapes {rgb.shape}, {flow.shape}, {frames.shape}")
        n_frames, fps = int(arrays["n_frames"][0]), float(arrays["fps"][0])
        return VideoFeatures(fingerprint, rgb, flow, frames, n_frames, fps)
    except (LookupError, OverflowError, SafetensorError, TypeError, ValueError) as fault:
        raise UserError(
            f"features of a video in the staging store are damaged ({fault}); "
            f"delete .staging/features/*/{fingerprint}, run `dvc repro`"
        ) from None
