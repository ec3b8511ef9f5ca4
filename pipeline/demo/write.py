"""Writes the demo's domains as video files: the same bytes for the same seed, on any machine."""

import csv
import multiprocessing
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from tqdm import tqdm

from pipeline.demo.background import Image
from pipeline.demo.motions import ACTIONS
from pipeline.demo.render import film
from pipeline.demo.style import STREET, STUDIO, Style
from pipeline.errors import UserError

DomainName = Literal["studio", "street"]
TRAIN_PER_CLASS = 24
TEST_PER_CLASS = 12


@dataclass(frozen=True)
class Encoding:
    """How a domain's videos are coded."""

    suffix: str  # of the file, which also names its container
    codec: Literal["libx264", "mpeg4"]
    options: dict[str, str] = field(default_factory=dict)
    bit_rate: int = 0  # per second; 0 leaves it to the codec


@dataclass(frozen=True)
class Domain:
    """A domain of the demo: its look, its files, and its own stream of random numbers."""

    style: Style
    encoding: Encoding
    stream: int


# without these, x264 does not always write the same bytes (seen: 2 to 10 variants in 10 runs)
EXACT = "cpu-independent=1:mbtree=0"
H264 = Encoding(".mp4", "libx264", {"preset": "veryfast", "crf": "22", "x264-params": EXACT})
MPEG4 = Encoding(".avi", "mpeg4", {"g": "30"}, bit_rate=350_000)
DOMAINS: dict[DomainName, Domain] = {
    "studio": Domain(STUDIO, H264, stream=1),
    "street": Domain(STREET, MPEG4, stream=2),
}
SPLITS = ("train", "test")


@dataclass(frozen=True)
class _Job:
    domain: DomainName
    label: str
    split: str
    number: int
    seed: int
    path: Path


def render_domain(
    name: DomainName,
    folder: Path,
    *,
    seed: int = 0,
    workers: int = 1,
    train_per_class: int = TRAIN_PER_CLASS,
    test_per_class: int = TEST_PER_CLASS,
) -> None:
    """Writes `folder` with `<class>/<video>` and `videos.csv` (columns video, label, split).

    A video depends on the seed and on its own place in the domain alone: neither `workers` nor the
    number of videos changes it. The folder appears complete or not at all.

    Raises:
        UserError: `folder` has something in it already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty, and the demo overwrites nothing; remove it first")
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    wanted = {"train": train_per_class, "test": test_per_class}
    jobs = list(_jobs(name, aside, seed, wanted))
    for label in ACTIONS:
        (aside / label).mkdir(parents=True)
    for _ in tqdm(_finished(jobs, workers), total=len(jobs), desc=f"render {name}", disable=None):
        pass
    _write_listing(jobs, aside)
    if folder.exists():
        folder.rmdir()
    aside.rename(folder)


def encode(frames: Iterable[Image], path: Path, encoding: Encoding, style: Style) -> None:
    """Writes frames (height, width, 3), RGB, as one video with the style's size and rate."""
    reformatter = VideoReformatter()
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(
            encoding.codec, rate=style.fps, options=dict(encoding.options)
        )
        context = stream.codec_context
        context.pix_fmt, context.thread_count = "yuv420p", 1
        context.flags |= av.codec.context.Flags.bitexact
        context.height, context.width = style.height, style.width
        if encoding.bit_rate:
            context.bit_rate = encoding.bit_rate
        for number, pixels in enumerate(frames):
            rgb = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = reformatter.reformat(rgb, format="yuv420p", threads=1)
            frame.pts, frame.time_base = number, Fraction(1, style.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _jobs(name: DomainName, folder: Path, seed: int, wanted: dict[str, int]) -> Iterator[_Job]:
    suffix = DOMAINS[name].encoding.suffix
    for label in ACTIONS:
        for split in SPLITS:
            for number in range(wanted[split]):
                path = folder / label / f"{label}_{split}_{number:03d}{suffix}"
                yield _Job(name, label, split, number, seed, path)


def _render(job: _Job) -> None:
    domain = DOMAINS[job.domain]
    place = [list(ACTIONS).index(job.label), SPLITS.index(job.split), job.number]
    rng = np.random.default_rng([job.seed, domain.stream, *place])
    frames = film(ACTIONS[job.label], domain.style, rng)
    encode(frames, job.path, domain.encoding, domain.style)


def _finished(jobs: list[_Job], workers: int) -> Iterator[None]:
    if workers == 1:
        yield from map(_render, jobs)
        return
    # spawn: a fork would copy locks that the threads of other libraries may hold
    context = multiprocessing.get_context("spawn")
    # one thread per process is quickest: frames are too small to be shared out
    with ProcessPoolExecutor(workers, context, cv2.setNumThreads, (1,)) as pool:
        yield from pool.map(_render, jobs, chunksize=4)


def _write_listing(jobs: list[_Job], folder: Path) -> None:
    with (folder / "videos.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["video", "label", "split"])
        for job in jobs:
            writer.writerow([job.path.relative_to(folder).as_posix(), job.label, job.split])
