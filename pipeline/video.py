"""Reading video files, and the lossless coding of frames and flow; wraps PyAV (FFmpeg).

A video is read twice: once to count what can really be shown (headers lie), once to pick frames
by number. Only one frame is held at a time, so a three-hour file needs no more memory.
"""

import io
import json
import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
MEMORY = 2**30  # bytes that reading a video may take
_SEEKABLE = ("mov", "matroska")  # containers whose index leads to the right frame
_ROUNDING = 0.001  # seconds: some containers keep times in whole milliseconds
_SMOOTH = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_BROKEN = (av.error.FFmpegError, MemoryError, OSError, ValueError)
_OPTIONS = {
    # playlists dressed up as videos must reach neither the network nor other files
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,asf,flv,ogg",
}


@dataclass(frozen=True)
class Section:
    """A file, or the part of it between two times in seconds."""

    path: Path
    start: float | None = None
    stop: float | None = None


@dataclass(frozen=True)
class Summary:
    """What a section really holds: frames that can be shown, how many are broken, their rate."""

    frames: int
    damaged: int
    fps: float


class _Reader:
    """Shows a section's frames one by one, and keeps account of what went wrong."""

    def __init__(self, section: Section, container: Any) -> None:
        self.container = container
        self.start, self.stop = section.start or 0.0, section.stop
        self.stream = _video_stream(container)
        self.stream.codec_context.thread_count = 1
        self.damaged = 0  # frames that are shown and marked as broken
        self.refused = 0  # packets that show nothing
        self.end = 0.0  # seconds, where the last frame stops being shown
        # AVI has no times, FFmpeg makes them up and errs with B-frames: there, packets count
        self._counted = container.format.name == "avi"
        self._origin: Any = None if self._counted else self.stream.start_time or 0

    @property
    def fps(self) -> float:
        return float(self.stream.average_rate or self.stream.guessed_rate or 25)

    def __iter__(self) -> Iterator[av.VideoFrame]:
        self._approach()
        for frame in self._decoded():
            time = self._time(frame)
            if self.stop is not None and time >= self.stop - _ROUNDING:
                return
            if time >= self.start - _ROUNDING:
                self.damaged += frame.is_corrupt
                yield frame

    def _approach(self) -> None:
        """Goes to a key frame before the section, if the container can be trusted to find it."""
        early = self.start - 1 - 16 / self.fps  # room for frames that are shown in another order
        if early <= 0 or not any(name in self.container.format.name for name in _SEEKABLE):
            return
        try:
            stamp = self._origin + int(early / self.stream.time_base)
            self.container.seek(stamp, stream=self.stream)
        except _BROKEN:
            raise VideoError(
                f"second {self.start:g} of it cannot be reached; it may be cut off: "
                "get the whole file or skip it"
            ) from None

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """All frames that the decoder gives, stepping over packets that it refuses."""
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except _BROKEN:
                self.refused += 1
                return
            try:
                yield from packet.decode()
            except _BROKEN:
                self.refused += self.end >= self.start

    def _time(self, frame: av.VideoFrame) -> float:
        """Seconds from the beginning of the stream; untimed frames follow the one before."""
        stamp = frame.dts if self._counted else frame.pts
        if self._origin is None:
            self._origin = stamp
        tick = frame.time_base or self.stream.time_base
        time = self.end if stamp is None else float((stamp - self._origin) * tick)
        length = float(frame.duration * tick) if frame.duration else 1 / self.fps
        self.end = max(self.end, time + length)
        return time

    def promised_end(self) -> float | None:
        """Seconds at which the section should end, as far as the file says."""
        if self.stop is not None:
            return self.stop
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        alone = len(self.container.streams) == 1
        return self.container.duration / av.time_base if alone and self.container.duration else None


def _video_stream(container: Any) -> Any:
    """The first stream of moving pictures; a cover picture is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise VideoError("FFmpeg has no decoder for it; convert it or skip it")
            return stream
    if not container.streams:
        raise VideoError("nothing in it: a header alone, or cut off; replace it or skip it")
    raise VideoError("no video in it, sound or still pictures only; replace it or skip it")


@contextmanager
def _open(section: Section) -> Iterator[_Reader]:
    try:
        if section.path.stat().st_size == 0:
            raise VideoError("the file is empty (0 bytes); replace it or skip it")
        # "file:" for names that look like addresses; old files have titles in old code pages
        name = f"file:{section.path}"
        container = av.open(name, options=_OPTIONS, metadata_errors="replace")
    except _BROKEN as fault:
        reason = getattr(fault, "strerror", None) or type(fault).__name__
        if isinstance(fault, av.error.ArgumentError):
            reason = "another format"
        raise VideoError(
            f"cannot be opened as a video ({reason}); "
            "it may be cut off or of another kind: replace it or skip it"
        ) from None
    with container:
        yield _Reader(section, container)


@contextmanager
def _bounded_memory() -> Iterator[None]:
    """Lets the process grow by `MEMORY`: a header may claim anything, FFmpeg would allocate it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def inspect(section: Section) -> Summary:
    """Counts a section's frames by decoding them all.

    Raises VideoError: unreadable, no video stream, fewer than 2 frames, or more than
    `TOLERATED_DAMAGE` of what the file promises is damaged or missing (a truncated file).
    """
    with _bounded_memory(), _open(section) as reader:
        count = sum(1 for _ in reader)
        _require_whole(reader, count)
        if count < 2:
            raise VideoError("only 1 frame: motion needs at least 2; skip it")
        return Summary(count, reader.damaged + reader.refused, reader.fps)


def _require_whole(reader: _Reader, count: int) -> None:
    """Raises VideoError if too much of a section that was read to its end is missing."""
    if count == 0:
        where = f" from second {reader.start:g} on" if reader.start else ""
        raise VideoError(f"no frame of it can be decoded{where}; replace it or skip it")
    promised = reader.promised_end()
    if promised:
        slack = TOLERATED_DAMAGE * (promised - reader.start) + 2 / reader.fps
        if reader.end < promised - slack:
            raise VideoError(
                f"cut off: it should last until {promised:.1f} s and ends at {reader.end:.1f} s "
                f"({count} frames); get the whole file or skip it"
            )
    # a hole between frames may be a still picture, unless something was broken too
    broken = reader.damaged + reader.refused
    due = round((reader.end - reader.start) * reader.fps) if broken else count
    missing = max(reader.refused, due - count)
    if reader.damaged + missing > TOLERATED_DAMAGE * (count + missing):
        raise VideoError(
            f"damaged: {reader.damaged + missing} of {count + missing} frames are missing or do "
            "not decode; get an intact file or skip it"
        )


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
                found.append(_upright(_resized(reformatter, frame, size, resize), frame))
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


def _upright(pixels: Frames, frame: Any) -> Frames:
    """Turns and mirrors pixels as the file's display matrix asks: (x, y) -> (ax + cy, bx + dy)."""
    try:
        matrix = np.frombuffer(frame.side_data["DISPLAYMATRIX"], np.int32)
    except (KeyError, ValueError):  # none; or PyAV does not know the frame's other side data
        return np.rot90(pixels, k=round(frame.rotation / 90) % 4)
    a, b, c, d = matrix[[0, 1, 3, 4]]
    if abs(b) > abs(a):  # the axes change places
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def encode_lossless(frames: Frames, *, fps: float, note: Mapping[str, Any]) -> bytes:
    """Frames (n, h, w, 3) RGB or (n, h, w) grey as an FFV1 Matroska file, with a JSON note.

    Lossless, the same bytes for the same input; any player shows it. h and w are at least 2.
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
