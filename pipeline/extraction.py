"""Features of clips: runs the two backbones."""

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
from torch import Tensor, nn

from pipeline import backbones
from pipeline.errors import UserError
from pipeline.store import VideoFeatures
from pipeline.video_clips import VideoClips

T = TypeVar("T")


@dataclass(frozen=True)
class Extractor:
    """The RGB and the flow backbone on one device."""

    rgb: nn.Module
    flow: nn.Module
    device: torch.device
    precision: torch.dtype

    @torch.inference_mode()
    def __call__(
        self, rgb: NDArray[np.uint8], flow: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Clips (n, F, h, w, 3) and (n, F, h, w, 2) -> features (n, d) each, float32."""
        with torch.autocast(
            self.device.type, self.precision, enabled=self.precision != torch.float32
        ):
            return self._features(self.rgb, rgb), self._features(self.flow, flow)

    def _features(self, backbone: nn.Module, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        scaled: Tensor = torch.from_numpy(codes).to(self.device).float() / 255 * 2 - 1
        return backbone(scaled.permute(0, 4, 1, 2, 3)).float().cpu().numpy()


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
    rgb, flow = (stream.to(device) for stream in streams)
    return Extractor(rgb, flow, torch.device(device), getattr(torch, precision))


def extract_video(extractor: Extractor, cut: VideoClips) -> bytes:
    """The features of one video in a batch of its own: a video's result never depends on others."""
    return entry(cut, *extractor(cut.rgb, cut.flow))


def extract_many(
    extractor: Extractor, videos: Iterable[tuple[T, VideoClips]], batch: int
) -> Iterator[tuple[T, bytes]]:
    """The features of many videos in batches of exactly `batch` clips across videos, for a GPU.

    The last batch is filled up with zeros, so every batch has one shape, and one algorithm.
    """
    waiting: deque[tuple[T, VideoClips]] = deque()
    clips_in: deque[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = deque()
    done: deque[tuple[NDArray[np.float32], NDArray[np.float32]]] = deque()

    def work_off(least: int) -> Iterator[tuple[T, bytes]]:
        while len(clips_in) >= least and clips_in:
            taken = [clips_in.popleft() for _ in range(min(batch, len(clips_in)))]
            rgb, flow = (np.stack(part) for part in zip(*taken, strict=True))
            # rows of what fills up the last batch come last, and nobody asks for them
            done.extend(zip(*extractor(_filled(rgb, batch), _filled(flow, batch)), strict=True))
            while waiting and len(done) >= len(waiting[0][1].rgb):
                item, cut = waiting.popleft()
                rows = [done.popleft() for _ in range(len(cut.rgb))]
                yield item, entry(cut, *(np.stack(part) for part in zip(*rows, strict=True)))

    for item, cut in videos:
        waiting.append((item, cut))
        clips_in.extend(zip(cut.rgb, cut.flow, strict=True))
        yield from work_off(batch)
    yield from work_off(1)


def _filled(codes: NDArray[np.uint8], batch: int) -> NDArray[np.uint8]:
    """Codes (n, ...) with zeros up to (batch, ...)."""
    return np.pad(codes, [(0, batch - len(codes)), *[(0, 0)] * (codes.ndim - 1)])


def entry(cut: VideoClips, rgb: NDArray[np.float32], flow: NDArray[np.float32]) -> bytes:
    """A video's features as one safetensors file for the staging store."""
    shape = (*cut.plan.frames.shape[:2], -1)
    return safetensors.numpy.save(
        {
            "rgb": np.ascontiguousarray(rgb.reshape(shape)),
            "flow": np.ascontiguousarray(flow.reshape(shape)),
            "frames": cut.plan.frames.astype(np.int32),
            "n_frames": np.array([cut.n_frames]),
            "fps": np.array([cut.fps]),
        }
    )


def read_entry(fingerprint: str, content: bytes) -> VideoFeatures:
    """The inverse of `entry`."""
    arrays = safetensors.numpy.load(content)
    return VideoFeatures(
        fingerprint=fingerprint,
        rgb=arrays["rgb"],
        flow=arrays["flow"],
        frames=arrays["frames"],
        n_frames=int(arrays["n_frames"][0]),
        fps=float(arrays["fps"][0]),
    )
