"""Video files as they are: frames one by one, with an account of what is broken; wraps PyAV.

Whether a file can be used is decided here, since headers lie.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from pipeline import riff
from pipeline.errors import VideoError
from pipeline.seeking import Stretch, Timeline

TOLERATED_DAMAGE = 0.05  # share of a video's frames that may be missing or damaged
_SEEKABLE = ("mov", "matroska")  # containers whose index leads to the right frame
_ROUNDING = 0.001  # seconds: some containers keep times in whole milliseconds
# an IndexError: a stream that begins within the file, which PyAV does not know
_BROKEN = (av.error.FFmpegError, IndexError, MemoryError, OSError, ValueError)
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


class Reader:
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
        """The average frame rate, or FFmpeg's guess, or 25."""
        return float(self.stream.average_rate or self.stream.guessed_rate or 25)

    @property
    def _seekable(self) -> bool:
        return any(name in self.container.format.name for name in _SEEKABLE)

    @property
    def _whole(self) -> bool:
        return self.start == 0 and self.stop is None

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
        if early <= 0 or not self._seekable:
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

    def _time(self, item: av.VideoFrame | av.Packet) -> float:
        """Seconds from the beginning of the stream to a frame, or to what a packet shows."""
        stamp = item.dts if self._counted else item.pts
        if self._origin is None:
            self._origin = stamp
        tick = item.time_base or self.stream.time_base
        time = self._seconds(stamp, tick)
        length = float(item.duration * tick) if item.duration else 1 / self.fps
        self.end = max(self.end, time + length)
        return time

    def _seconds(self, stamp: int | None, tick: Fraction) -> float:
        """A time stamp in seconds; what has none follows what came before."""
        return self.end if stamp is None else float((stamp - self._origin) * tick)

    def promised_frames(self) -> int:
        """Frames of the section as far as the file says, 0 where it does not."""
        # headers of AVI say too much: those of HMDB51 are 4 to 8 frames off
        return self.stream.frames if self._whole and not self._counted else 0

    def likely_frames(self) -> int:
        """About how many frames there are, 0 if it is no whole file that one can seek in."""
        if not self._whole or not self._seekable:
            return 0
        return self.stream.frames or round((self.promised_end() or 0) * self.fps)

    def timeline(self) -> Timeline | None:
        """When the frames of a whole file are shown, or None if its packets do not say so."""
        stamps, keys = list[int](), list[int]()
        try:
            for packet in self.container.demux(self.stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None or packet.is_corrupt:
                    return None
                self._time(packet)
                stamps.append(packet.pts)
                keys += [packet.pts] if packet.is_keyframe else []
        except _BROKEN:
            return None
        alike = len(set(stamps)) < len(stamps)
        return None if alike else Timeline(sorted(stamps), sorted(keys))

    def sought(self, stretch: Stretch) -> Iterator[av.VideoFrame]:
        """The wanted frames of a stretch; fewer, if what it shows is not what its packets said."""
        wanted, due = set(stretch.wanted), deque(stretch.stamps)
        with suppress(*_BROKEN):
            self.container.seek(due[0], stream=self.stream)
            for frame in self._decoded():
                if frame.pts is not None and frame.pts < stretch.stamps[0]:
                    continue  # shown before the key frame and stored behind it
                if frame.pts != due.popleft() or frame.is_corrupt or self.refused:
                    return
                if frame.pts in wanted:
                    yield frame
                if not due:
                    return

    def packets(self) -> int:
        """Packets of the section, most often as many as it has frames; decodes nothing."""
        self._approach()
        count = 0
        with suppress(*_BROKEN):  # decoding will tell
            for packet in self.container.demux(self.stream):
                time = self._time(packet)
                if (
                    self.stop is not None
                    and self._seconds(packet.dts, packet.time_base) >= self.stop
                ):
                    break  # in order of decoding, so none that comes later is shown earlier
                late = self.stop is not None and time >= self.stop - _ROUNDING
                count += packet.size > 0 and not late and time >= self.start - _ROUNDING
        return count

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
def opened(section: Section) -> Iterator[Reader]:
    """A reader of the section. Raises VideoError if nothing can be read as a video."""
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
        if container.format.name == "avi" and riff.missing(section.path) > TOLERATED_DAMAGE:
            raise VideoError("cut off: it says that it is longer; get the whole file or skip it")
        yield Reader(section, container)


def require_whole(reader: Reader, count: int) -> None:
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
