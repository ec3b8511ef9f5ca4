"""Lossless coding of frames and flow: FFV1 in Matroska, with a JSON note; wraps PyAV (FFmpeg)."""

import io
import json
from collections.abc import Mapping
from typing import Any

import av
import numpy as np

from pipeline.video import Frames


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


def decode(coded: bytes) -> tuple[Frames, dict[str, Any]]:
    """The frames and the note of `encode`, bit for bit."""
    with av.open(io.BytesIO(coded), "r") as container:
        note = json.loads(container.metadata["NOTE"])
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        source = "gray" if stream.pix_fmt == "gray" else "rgb24"
        frames = [frame.to_ndarray(format=source) for frame in container.decode(stream)]
    return np.stack(frames), note
