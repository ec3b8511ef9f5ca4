"""What happens to the target's videos: worse optics, less light, sensor noise, a low bit rate.

After the corruptions of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", ICLR 2019, which Yi et al., "Benchmarking the Robustness of
Spatial-Temporal Models Against Corruptions", NeurIPS 2021, carried over to videos. They measure one
corruption at a time at five severities; here all come together, as in a cheap camera at night.
"""

import hashlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from pipeline.demo.write import EXACT
from pipeline.errors import VideoError

Frame = NDArray[np.uint8]
STRONGEST = 5.0
HEIGHT = 240  # pixels of a frame for which `BLUR` is meant
# what one step of strength adds
BLUR = 0.5  # pixels, standard deviation
GAMMA = 0.3  # exponent, from 1
GAIN = -0.12  # factor, from 1
NOISE = 5.0  # grey levels of 255, standard deviation
RATE_FACTOR = 4.0  # of x264, from 23; 6 halve the bit rate


def corrupt(source: Path, out: Path, *, strength: float, seed: int, key: str) -> None:
    """Writes a video anew, corrupted and mirrored, as H.264 without sound.

    The same bytes for the same video, strength, seed and key on one machine.

    Args:
        source: a video file.
        out: the file to write, which ends in .mp4.
        strength: above 0, to `STRONGEST`.
        seed: of the noise.
        key: the video's name, so that each has noise of its own.

    Raises:
        VideoError: it cannot be decoded, or has no frames.
    """
    digest = hashlib.sha256(key.encode()).digest()
    rng = np.random.default_rng([seed, *np.frombuffer(digest, np.uint32)])
    try:
        with av.open(f"file:{source}") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
            frames = (_pixels(frame) for frame in container.decode(stream))
            _encode((degrade(frame, strength, rng) for frame in frames), out, rate, strength)
    except (av.error.FFmpegError, IndexError) as fault:
        raise VideoError(
            f"{source}: cannot be decoded ({fault}); replace it or leave it out"
        ) from None


def _pixels(frame: av.VideoFrame) -> Frame:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def degrade(frame: Frame, strength: float, rng: np.random.Generator) -> Frame:
    """A frame (h, w, 3), RGB: blurred, darkened, with noise, mirrored; cut to even h and w."""
    height, width = (2 * (side // 2) for side in frame.shape[:2])
    light = frame[:height, :width].astype(np.float32) / 255
    blurred = np.asarray(cv2.GaussianBlur(light, (0, 0), BLUR * strength * height / HEIGHT))
    dark = (1 + GAIN * strength) * blurred ** (1 + GAMMA * strength)
    noise = rng.standard_normal(dark.shape, dtype=np.float32)
    grey = np.rint(255 * dark + NOISE * strength * noise)
    return np.ascontiguousarray(grey.clip(0, 255).astype(np.uint8)[:, ::-1])


def _encode(frames: Iterator[Frame], out: Path, rate: Fraction, strength: float) -> None:
    first = next(frames, None)
    if first is None:
        raise VideoError(f"{out.name}: no frame can be decoded; replace it or leave it out")
    factor = f"{23 + RATE_FACTOR * strength:g}"
    options = {"preset": "veryfast", "crf": factor, "x264-params": EXACT}
    with av.open(str(out), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        context = stream.codec_context
        context.height, context.width, context.pix_fmt = *first.shape[:2], "yuv420p"
        context.thread_count = 1
        context.flags |= av.codec.context.Flags.bitexact
        for packet in _packets(stream, first, frames, rate):
            container.mux(packet)


def _packets(
    stream: av.VideoStream, first: Frame, others: Iterable[Frame], rate: Fraction
) -> Iterator[list[av.Packet]]:
    reformatter = VideoReformatter()
    for number, pixels in enumerate(chain((first,), others)):
        rgb = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame = reformatter.reformat(rgb, format="yuv420p", threads=1)
        frame.pts, frame.time_base = number, 1 / rate
        yield stream.encode(frame)
    yield stream.encode(None)
