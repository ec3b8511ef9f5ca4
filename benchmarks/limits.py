"""What the parts of an extraction cannot fall below on one core of this machine, in seconds."""

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline import backbones, flow, video_file
from pipeline.backbones import Stream
from pipeline.video import Frames


def decoding(path: Path) -> float:
    """A video's decoding, of all frames, without any conversion."""
    start = time.perf_counter()
    with video_file.opened(video_file.Section(path)) as reader:
        for _ in reader:
            pass
    return time.perf_counter() - start


def flow_kernel(frames: Frames, numbers: Sequence[int], pairs: Sequence[int]) -> float:
    """The flow of all pairs, extrapolated from every eighth, of grey frames in memory."""
    grey = {n: cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for n, f in zip(numbers, frames, strict=True)}
    flow.tvl1(grey[pairs[0]], grey[pairs[0] + 1])
    start = time.perf_counter()
    for pair in pairs[::8]:
        flow.tvl1(grey[pair], grey[pair + 1])
    return (time.perf_counter() - start) * len(pairs) / len(pairs[::8])


def convolutions(clips: int, frames: int, size: int) -> float:
    """I3D's operations on both streams of these clips, at the rate of large matrix products."""
    streams: tuple[Stream, ...] = ("rgb", "flow")
    return clips * sum(_operations(stream, frames, size) for stream in streams) / _matrix_rate()


def _operations(stream: Stream, frames: int, size: int) -> int:
    """Floating point operations of one clip; a multiplication and an addition are two."""
    shape = (1, backbones.CHANNELS[stream], frames, size, size)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        backbones.build("i3d", stream)(torch.empty(shape))
    return counter.get_total_flops()


def _matrix_rate(side: int = 2048, repeats: int = 5) -> float:
    """Operations a second of float32 matrix products: the best of some."""
    one, other = torch.rand(2, side, side).unbind()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        one @ other
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)
