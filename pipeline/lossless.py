"""Lossless coding of frames and flow: FFV1 in Matroska, with a JSON note; wraps PyAV (FFmpeg)."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import av
import numpy as np

from pipeline.errors import UserError
from pipeline.video import Frames

LARGEST = 2**32  # bytes of the pictures of one video
LARGEST_PICTURE = 2**26  # pixels
# a file that claims to be ours must reach neither the network nor other files
_OPTIONS = {"protocol_whitelist": "", "format_whitelist": "matroska", "codec_whitelist": "ffv1"}
_DAMAGE = (
    *(av.error.FFmpegError, AttributeError, LookupError, MemoryError, OSError),
    *(OverflowError, RecursionError, TypeError, ValueError),
)


def encode(frames: Frames, *, fps: float, note: Mapping[str, Any]) -> bytes:
    """Frames (n, h, w, 3) RGB or (n, h, w) grey as an FFV1 Matroska file, with a JSON note.

    Lossless, the same bytes for the same input; any player shows it. h and w are at least 2.
    """
    source, coded = ("rgb24", "bgr0") if frames.ndim == 4 else ("gray", "gray")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        container.metadata["note"] = json.dumps(note, sort_keys=True)
        # the range coder takes a quarter less room for flow and an eighth less for frames
        options = {"level": "3", "slices": "4", "coder": "range_def"}
        stream = container.add_stream("ffv1", rate=max(1, round(fps)), options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], coded
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=source)))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decode(
    coded: bytes, choose: Callable[[dict[str, Any]], Sequence[int]] | None = None
) -> tuple[Frames, dict[str, Any]]:
    """The frames and the note of `encode`, bit for bit.

    With `choose`, which is given the note, only the frames at these ascending rows, without
    decoding more than leads to them.

    Raises UserError: damaged, or not of `encode`.
    """
    try:
        with av.open(io.BytesIO(coded), "r", format="matroska", options=_OPTIONS) as container:
            note = json.loads(container.metadata["NOTE"])
            if not isinstance(note, dict):
                raise ValueError("its note is no table")
            return np.stack(list(_pictures(container, choose and choose(note)))), note
    except _DAMAGE as fault:
        wrong = getattr(fault, "strerror", None) or fault
        raise UserError(
            f"no pictures as this program writes them ({wrong}); delete the file, run `dvc repro`"
        ) from None


def _pictures(container: Any, rows: Sequence[int] | None) -> Iterator[Frames]:
    """The pictures, of one size. Raises ValueError for more of them than memory should hold."""
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    if stream.codec_context.name != "ffv1":
        raise ValueError(f"coded as {stream.codec_context.name}")
    if stream.width * stream.height > LARGEST_PICTURE:
        raise ValueError(f"a picture of {stream.width} x {stream.height}")
    form = "gray" if stream.pix_fmt == "gray" else "rgb24"
    left = LARGEST
    for frame in container.decode(stream) if rows is None else _sought(container, stream, rows):
        left -= frame.width * frame.height * (1 if form == "gray" else 3)
        if left < 0:
            raise ValueError(f"more than {LARGEST} bytes of pictures")
        yield frame.to_ndarray(format=form)


def _sought(container: Any, stream: Any, rows: Sequence[int]) -> Iterator[Any]:
    """The frames at these ascending rows; each is decoded from the key frame before it on."""
    packets = [packet for packet in container.demux(stream) if packet.size]
    keys = [row for row, packet in enumerate(packets) if packet.is_keyframe]
    decoded = -1
    for row in rows:
        start = max([decoded + 1, *(key for key in keys if key <= row)])
        for number in range(start, row + 1):
            (frame,) = packets[number].decode()
        decoded = row
        yield frame
