"""Reading video files, and the lossless coding of frames and flow; wraps PyAV (FFmpeg).

A video is read twice: once to count what can really be shown (headers lie), once to pick frames
by number. Only one frame is held at a time, so a three-hour file needs no more memory.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipeline.errors import VideoError

Resize = Literal["squash", "crop"]
Frames = NDArray[np.uint8]

TOLERATED_DAMAGE = 0.05  # share of a video's frames that may be missing or damaged
_SMOOTH = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_BROKEN = (av.error.FFmpegError, MemoryError, OSError, ValueError)


@dataclass(frozen=True)
class Section:
    """A file, or the part of it between two times in seconds."""

    path: Path
    start: float | None = None
    stop: float | None = None


@dataclass(frozen=True)
class Summary:
    """What a section really holds: frames that can be shown, of which damaged, and their rate."""

    frames: int
    damaged: int
    fps: float


class _Reader:
    """Shows a section's frames one by one, and keeps account of what went wrong."""

    def __init__(self, section: Section, container: Any) -> None:
        self.section = section
        self.container = container
        streams = [
            s for s in container.streams.video if not s.disposition & Disposition.attached_pic
        ]
        if not streams:
            raise VideoError("no video stream in it (sound only?); replace it or skip it")
        self.stream = streams[0]
        self.stream.codec_context.thread_count = 1
        self.damaged = 0
        self.end = 0.0  # seconds, where the last frame stops being shown

    @property
    def fps(self) -> float:
        return float(self.stream.average_rate or self.stream.guessed_rate or 25)

    def __iter__(self) -> Iterator[av.VideoFrame]:
        start, stop = self.section.start or 0.0, self.section.stop
        # AVI has no timestamps to seek by: FFmpeg may land some frames off
        if start > 2 and "avi" not in self.container.format.name:
            self.container.seek(int((start - 1) * av.time_base))
        for frame in self._decoded():
            time = self._time(frame)
            if stop is not None and time >= stop:
                return
            if time >= start:
                self.damaged += frame.is_corrupt
                yield frame

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """All frames that the decoder gives, stepping over packets that it refuses."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except _BROKEN:
                self.damaged += 1
                return
            try:
                yield from packet.decode()
            except _BROKEN:
                self.damaged += 1

    def _time(self, frame: av.VideoFrame) -> float:
        """Seconds from the beginning of the stream; untimed frames follow the one before."""
        if frame.pts is None:
            time = self.end
        else:
            time = float((frame.pts - (self.stream.start_time or 0)) * self._tick(frame))
        length = float(frame.duration * self._tick(frame)) if frame.duration else 1 / self.fps
        self.end = max(self.end, time + length)
        return time

    def _tick(self, frame: av.VideoFrame) -> Fraction:
        """Seconds a unit of the frame's timestamps."""
        return frame.time_base or self.stream.time_base

    def promised_end(self) -> float | None:
        """Seconds at which the section should end, as far as the file says."""
        if self.section.stop is not None:
            return self.section.stop
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        alone = len(self.container.streams) == 1
        return self.container.duration / av.time_base if alone and self.container.duration else None


@contextmanager
def _open(section: Section) -> Iterator[_Reader]:
    if section.path.stat().st_size == 0:
        raise VideoError("the file is empty (0 bytes); replace it or skip it")
    try:
        # a playlist dressed up as a video must not reach the network
        container = av.open(str(section.path), options={"protocol_whitelist": "file"})
    except _BROKEN as fault:
        reason = str(fault).split(":")[0].removeprefix("[Errno 1094995529] ")
        raise VideoError(
            f"not a video that FFmpeg can open ({reason}); replace it or skip it"
        ) from None
    with container:
        yield _Reader(section, container)


def inspect(section: Section) -> Summary:
    """Counts a section's frames by decoding them all.

    Raises VideoError: unreadable, no video stream, fewer than 2 frames, or more than
    `TOLERATED_DAMAGE` of what the file promises is damaged or missing (a truncated file).
    """
    with _open(section) as reader:
        count = sum(1 for _ in reader)
        promised = reader.promised_end()
        summary = Summary(count, reader.damaged, reader.fps)
        if count == 0:
            raise VideoError("no frame of it can be decoded; replace it or skip it")
        if promised and reader.end < promised * (1 - TOLERATED_DAMAGE) - 2 / reader.fps:
            raise VideoError(
                f"cut off: it promises {promised:.1f} s and has {reader.end:.1f} s "
                f"({count} frames); get the whole file or skip it"
            )
        if summary.damaged > TOLERATED_DAMAGE * count:
            raise VideoError(
                f"damaged: {summary.damaged} of {count} frames do not decode; "
                "get an intact file or skip it"
            )
    if count < 2:
        raise VideoError("only 1 frame: motion needs at least 2; skip it")
    return summary


def read(section: Section, numbers: Sequence[int], *, size: int, resize: Resize) -> Frames:
    """The frames with these ascending numbers (0 = first shown of the section), upright, resized.

    "squash" scales to size x size; "crop" scales the short side to size * 256 / 224 and takes the
    centre (Carreira & Zisserman). Returns uint8 (len(numbers), size, size, 3), RGB.

    Raises VideoError if a number lies beyond the section's end.
    """
    wanted = set(numbers)
    reformatter = VideoReformatter()
    found = []
    with _open(section) as reader:
        for number, frame in enumerate(reader):
            if number in wanted:
                found.append(_upright(_resized(reformatter, frame, size, resize), frame.rotation))
            if len(found) == len(wanted):
                break
    if len(found) < len(wanted):
        raise VideoError(f"frame {max(wanted)} was counted and is not there at the second reading")
    return np.stack(found)


def _resized(
    reformatter: VideoReformatter, frame: av.VideoFrame, size: int, resize: Resize
) -> Frames:
    width = height = size
    if resize == "crop":
        short = size * 256 / 224
        scale = short / min(frame.width, frame.height)
        width, height = round(frame.width * scale), round(frame.height * scale)
    scaled = reformatter.reformat(
        frame, width=width, height=height, format="rgb24", interpolation=_SMOOTH, threads=1
    )
    top, left = (height - size) // 2, (width - size) // 2
    pixels = np.asarray(scaled.to_ndarray(), dtype=np.uint8)
    return pixels[top : top + size, left : left + size]


def _upright(frame: Frames, rotation: int) -> Frames:
    """Turns a frame by the file's rotation mark (degrees, counter-clockwise)."""
    return np.rot90(frame, k=round(rotation / 90) % 4)


def encode_lossless(frames: Frames, *, fps: float, note: Mapping[str, Any]) -> bytes:
    """Frames (n, h, w, 3) RGB or (n, h, w) grey as an FFV1 Matroska file, with a JSON note.

    Lossless, every frame a key frame, the same bytes for the same input; any player shows it.
    """
    source, coded = ("rgb24", "bgr0") if frames.ndim == 4 else ("gray", "gray")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        container.metadata["note"] = json.dumps(note, sort_keys=True)
        options = {"level": "3", "slices": "4"}
        stream = container.add_stream("ffv1", rate=max(1, round(fps)), options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], coded
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=source)))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decode_lossless(coded: bytes) -> tuple[Frames, dict[str, Any]]:
    """The frames and the note of `encode_lossless`, bit for bit."""
    with av.open(io.BytesIO(coded), "r") as container:
        note = json.loads(container.metadata["NOTE"])
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        source = "gray" if stream.pix_fmt == "gray" else "rgb24"
        frames = [frame.to_ndarray(format=source) for frame in container.decode(stream)]
    return np.stack(frames), note
