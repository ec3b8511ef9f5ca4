"""Test videos whose frames show their own number: twelve grey blocks, a bit each."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline import video
from pipeline.video import Resize, Section, Summary

Picture = NDArray[np.uint8]
ROWS, COLUMNS = 3, 4
MILLISECOND = Fraction(1, 1000)


def numbered(number: int, size: tuple[int, int] = (64, 48)) -> Picture:
    """A picture (height, width, 3) of size (width, height) that shows a number below 4096."""
    width, height = size
    row = np.arange(height) * ROWS // height
    column = np.arange(width) * COLUMNS // width
    bit = (number >> (row[:, None] * COLUMNS + column)) & 1
    return np.repeat(np.where(bit, 215, 40).astype(np.uint8)[:, :, None], 3, axis=2)


def number_of(picture: Picture) -> int:
    """The number that a picture shows, whatever its size."""
    height, width = picture.shape[:2]
    number = 0
    for bit in range(ROWS * COLUMNS):
        row, column = divmod(bit, COLUMNS)
        y, x = int((row + 0.5) * height / ROWS), int((column + 0.5) * width / COLUMNS)
        number |= int(picture[y - 1 : y + 2, x - 1 : x + 2].mean() > 127) << bit
    return number


def numbers_of(pictures: Iterable[Picture]) -> list[int]:
    """The numbers that pictures show."""
    return [number_of(picture) for picture in pictures]


def write(path: Path, count: int = 40, *, size: tuple[int, int] = (64, 48), **coding: Any) -> Path:
    """Writes a film of numbered pictures; `coding` as in `write_pictures`."""
    return write_pictures(path, [numbered(number, size) for number in range(count)], **coding)


def write_pictures(
    path: Path,
    pictures: Sequence[Picture],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    fps: int = 25,
    gop: int = 12,
    b_frames: int = 0,
    times: Sequence[int] | None = None,
    tick: Fraction = MILLISECOND,
    codec_options: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Path:
    """Writes pictures (height, width, 3) as a film; the file's suffix names the container.

    `times`, in units of `tick`, make the frame rate vary.
    """
    with av.open(str(path), "w", options=dict(options or {})) as container:
        if title:
            container.metadata["title"] = title
        stream: Any = container.add_stream(codec, rate=fps, options=dict(codec_options or {}))
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.thread_count = 1
        if times:
            stream.codec_context.time_base = tick
        for position, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times:
                frame.pts, frame.time_base = times[position], tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path, codec: str = "aac", cover: bool = False) -> Path:
    """A file with half a second of silence, and perhaps a cover picture."""
    sample_format, kind = ("fltp", np.float32) if codec == "aac" else ("s16", np.int16)
    with av.open(str(path), "w") as container:
        sound: Any = container.add_stream(codec, rate=44100, layout="mono")
        picture: Any = container.add_stream("mjpeg", rate=25) if cover else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            shown = av.VideoFrame.from_ndarray(numbered(5), format="rgb24")
            container.mux(picture.encode(shown))
        for number in range(20):
            silence = np.zeros((1, 1024), kind)
            frame = av.AudioFrame.from_ndarray(silence, format=sample_format, layout="mono")
            frame.sample_rate, frame.pts = 44100, number * 1024
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def inspect(section: Section) -> Summary:
    """What the reader finds in a section."""
    return video.sample(section, lambda count: [0, 1], size=16, resize="squash").summary


def read(
    section: Section, numbers: list[int], *, size: int = 48, resize: Resize = "squash"
) -> video.Frames:
    """The frames of these numbers."""
    return video.sample(section, lambda count: numbers, size=size, resize=resize).frames
