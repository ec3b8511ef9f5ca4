"""Reading frames out of video files by their numbers; wraps PyAV (FFmpeg).

Which frames are wanted depends on how many there are, and headers lie. So a video is decoded once,
for the frames that its header promises, while what can really be shown is counted; only where the
header lied it is decoded again. Where few frames of a long video are wanted, its packets are
counted, and only what leads to these frames is decoded. No frame but the wanted ones is held, so a
three-hour file needs no more memory.
"""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipeline import seeking, video_file
from pipeline.errors import VideoError
from pipeline.video_file import Section, Summary

Resize = Literal["squash", "crop"]
Frames = NDArray[np.uint8]
Choose = Callable[[int], list[int]]

MEMORY = 2**30  # bytes that reading a video may take, beside the frames that are wanted
_ROOM = 12  # bytes a wanted frame may take, in squares of its crop: RGB, up to three times as wide
_CROPPED = 256 / 224  # short side of a frame, in sides of its crop (Carreira & Zisserman)
_SMOOTH = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


@dataclass(frozen=True, eq=False)
class Sampled:
    """Some frames of a section, and what there is of it.

    frames   uint8 (n, h, w, 3), RGB, upright
    numbers  n ascending frame numbers, 0 = first shown of the section
    """

    frames: Frames
    numbers: list[int]
    summary: Summary


@contextmanager
def _bounded_memory(size: int) -> Iterator[None]:
    """Lets the process grow by `size` bytes: a header may claim anything, FFmpeg would take it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + size, hard))
    try:
        yield
    except MemoryError:
        raise VideoError("takes more memory than a video should; replace it or skip it") from None
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def sample(section: Section, choose: Choose, *, size: int, resize: Resize) -> Sampled:
    """Reads the frames that `choose` names when it is told how many there are, 2 or more.

    `choose` gives ascending numbers below the number of frames. "squash" scales to size x size;
    "crop" scales the short side to size * 256 / 224 and keeps the whole frame, as the networks see
    its centre, size x size, and optical flow all of it (Carreira & Zisserman).

    Raises VideoError: unreadable, no video stream, fewer than 2 frames, or too much of what the
    file promises is damaged or missing (a truncated file).
    """
    sampled = _sought(section, choose, size, resize) or _decoded(section, choose, size, resize)
    numbers = choose(sampled.summary.frames)
    if numbers != sampled.numbers:  # there are more or fewer frames than the file promised
        sampled = _decoded(section, lambda _: numbers, size, resize)
    if len(sampled.frames) < len(numbers):
        raise VideoError(f"frame {numbers[-1]} was counted and is not there at the second reading")
    return sampled


def _decoded(section: Section, choose: Choose, size: int, resize: Resize) -> Sampled:
    """Decodes a section, for the frames that `choose` names when told what the file promises."""
    with _bounded_memory(MEMORY), video_file.opened(section) as reader:
        numbers = choose(max(2, reader.promised_frames() or _packets(section)))
        wanted, found, count = set(numbers), list[Frames](), 0
        resized, upright = _Resizer(size, resize), _Upright()
        with _bounded_memory(MEMORY + len(numbers) * _ROOM * size**2):
            for count, frame in enumerate(reader, start=1):
                if count - 1 in wanted:
                    found.append(upright(resized(frame), frame))
        video_file.require_whole(reader, count)
        if count < 2:
            raise VideoError("only 1 frame: motion needs at least 2; skip it")
        summary = Summary(count, reader.damaged + reader.refused, reader.fps)
    frames = np.stack(found) if found else np.empty((0, size, size, 3), np.uint8)
    return Sampled(frames, numbers, summary)


def _sought(section: Section, choose: Choose, size: int, resize: Resize) -> Sampled | None:
    """Decodes only the stretches that lead to the frames; None if that does not pay or not work."""
    with _bounded_memory(MEMORY), video_file.opened(section) as reader:
        likely = reader.likely_frames()
        if likely < max(seeking.LONG, len(choose(max(2, likely))) * seeking.WORTH):
            return None
        timeline = reader.timeline()
        if timeline is None or len(timeline.shown) < seeking.LONG:
            return None
        numbers = choose(len(timeline.shown))
        resized, upright = _Resizer(size, resize), _Upright()
        parts = seeking.stretches(timeline, numbers)
        if parts is None:
            return None
        with _bounded_memory(MEMORY + len(numbers) * _ROOM * size**2):
            frames = (frame for part in parts for frame in reader.sought(part))
            found = [upright(resized(frame), frame) for frame in frames]
        if len(found) < len(numbers):
            return None
        video_file.require_whole(reader, len(timeline.shown))
        return Sampled(np.stack(found), numbers, Summary(len(timeline.shown), 0, reader.fps))


def _packets(section: Section) -> int:
    with video_file.opened(section) as reader:
        return reader.packets()


class _Resizer:
    """Scales frames to one size, which follows from the first."""

    def __init__(self, size: int, resize: Resize) -> None:
        self.size = size
        self._resize = resize
        self._reformatter = VideoReformatter()
        self._shape: tuple[int, int] | None = None

    def __call__(self, frame: av.VideoFrame) -> Frames:
        if self._shape is None:
            self._shape = self._fitting(frame.width, frame.height)
        width, height = self._shape
        scaled = self._reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=_SMOOTH, threads=1
        )
        return np.asarray(scaled.to_ndarray(), dtype=np.uint8)

    def _fitting(self, width: int, height: int) -> tuple[int, int]:
        if self._resize == "squash":
            return self.size, self.size
        scale = round(self.size * _CROPPED) / min(width, height)
        return round(width * scale), round(height * scale)


def centre(pictures: Frames, size: int) -> Frames:
    """The centre (n, size, size, d) of pictures (n, h, w, d), none of whose sides is shorter."""
    top, left = ((side - size) // 2 for side in pictures.shape[1:3])
    return pictures[:, top : top + size, left : left + size]


class _Upright:
    """Turns and mirrors pixels as the file's display matrix asks: (x, y) -> (ax + cy, bx + dy).

    PyAV's frame and its side data hold each other until Python's collector comes by, which with 4K
    is gigabytes: the matrix is looked up once, and again only for a frame that is turned otherwise.
    """

    def __init__(self) -> None:
        self._matrices: dict[int, NDArray[np.int32] | None] = {}

    def __call__(self, pixels: Frames, frame: Any) -> Frames:
        if frame.rotation not in self._matrices:
            self._matrices[frame.rotation] = _display_matrix(frame)
        matrix = self._matrices[frame.rotation]
        if matrix is None:
            return np.rot90(pixels, k=round(frame.rotation / 90) % 4)
        a, b, c, d = matrix[[0, 1, 3, 4]]
        if abs(b) > abs(a):  # the axes change places
            pixels, a, d = pixels.swapaxes(0, 1), c, b
        return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _display_matrix(frame: Any) -> NDArray[np.int32] | None:
    """A frame's display matrix, 9 numbers.

    None if it has none, or PyAV does not know the frame's other side data.
    """
    try:
        return np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32).copy()
    except (KeyError, ValueError):
        return None
