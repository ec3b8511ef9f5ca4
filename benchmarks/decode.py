"""How fast do the wanted frames come out of videos, beside OpenCV, and when is it worth to seek?

    python -m benchmarks.decode --videos FOLDER [--count 40] [--rounds 5] [--long 6000]

Each way reads the frames that 5 clips of 16 need and resizes them to 224 x 224. First short videos
spread over the folder's: OpenCV with its own threads, and one thread each in a process a core; then
PyAV likewise, threads inside libav against processes over videos, which is how the pipeline does
it. Then one long rendered video (H.264, a key frame every 250): read to its end by OpenCV and by
us, and with stretches sought. Prints milliseconds a video, medians of rounds in which the ways
take turns, and the ratio to OpenCV's better way.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from unittest import mock

import av
import cv2
import numpy as np

from benchmarks.extraction import spread
from pipeline import clips, engine, stages, video, video_file
from pipeline.video import Section

SIZE = 224
Way = Callable[[], object]


def needed(count: int, sampling: clips.Sampling) -> list[int]:
    plan = clips.plan(count, segments=5, windows=1, frames=16, sampling=sampling)
    return plan.needed.tolist()


def by_opencv(path: Path, sampling: clips.Sampling, threads: int) -> int:
    """Decodes a whole video, as its number of frames is known only then; returns what it took."""
    cv2.setNumThreads(threads)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    frames = []
    while (read := capture.read())[0]:
        small = cv2.resize(read[1], (SIZE, SIZE))
        frames.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
    return len(np.stack([frames[number] for number in needed(len(frames), sampling)]))


def by_pyav(path: Path, sampling: clips.Sampling, threads: int, seek: bool = True) -> int:
    """As the pipeline does it, with some threads inside libav; returns the number of frames."""
    reader = video_file.Reader.__init__

    def threaded(self: video_file.Reader, section: Section, container: object) -> None:
        reader(self, section, container)
        self.stream.codec_context.thread_count = threads
        self.stream.thread_type = "AUTO"

    sought = video._sought if seek else lambda *_: None
    with (
        mock.patch.object(video_file.Reader, "__init__", threaded),
        mock.patch.object(video, "_sought", sought),
    ):
        choose = partial(needed, sampling=sampling)
        return len(video.sample(Section(path), choose, size=SIZE, resize="squash").frames)


def started(_: int) -> int:
    """Has a process import what the ways need, before they are timed."""
    return cv2.getNumThreads()


def one_by_one(read: Callable[[Path], int], paths: list[Path]) -> int:
    return sum(read(path) for path in paths)


def at_once(pool: ProcessPoolExecutor, read: Callable[[Path], int], paths: list[Path]) -> int:
    return sum(pool.map(read, paths))


def render(path: Path, count: int) -> Path:
    """A texture that glides for `count` frames."""
    coarse = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    texture = np.asarray(cv2.resize(coarse, (640, 480)), np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 250
        for number in range(count):
            view = np.ascontiguousarray(texture[number % 240 :][:240, number % 320 :][:, :320])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def compare(title: str, ways: dict[str, Way], videos: int, rounds: int) -> None:
    """Prints milliseconds a video of each way, and the ratio to the best of OpenCV's."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            took[name].append((time.perf_counter() - start) / videos * 1000)
    best = min(median(spent) for name, spent in took.items() if name.startswith("OpenCV"))
    print(title)
    for name, spent in took.items():
        middle = median(spent)
        print(
            f"  {name:34} {middle:8.1f} ms a video ({min(spent):.1f} to {max(spent):.1f}), "
            f"{best / middle:.2f} times OpenCV"
        )


def main() -> None:
    """Prints both comparisons."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.decode",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=6000, help="frames of the long video")
    options = parser.parse_args()
    paths, cores = spread(options.videos, options.count), engine.cores()
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        list(pool.map(started, range(2 * cores)))
        ways: dict[str, Way] = {}
        for name, way in (("OpenCV", by_opencv), ("PyAV", by_pyav)):
            inside, alone = (partial(way, sampling="spread", threads=n) for n in (cores, 1))
            ways[f"{name}, {cores} threads"] = partial(one_by_one, inside, paths)
            ways[f"{name}, {cores} processes"] = partial(at_once, pool, alone, paths)
        compare(f"{len(paths)} short videos", ways, len(paths), options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = render(Path(folder) / "long.mp4", options.long)
        for sampling in ("consecutive", "spread"):
            ways = {
                "OpenCV, to its end": partial(by_opencv, path, sampling, 1),
                "PyAV, to its end": partial(by_pyav, path, sampling, 1, seek=False),
                "PyAV, stretches sought": partial(by_pyav, path, sampling, 1),
            }
            compare(f"one of {options.long} frames, {sampling}, 1 thread", ways, 1, options.rounds)


if __name__ == "__main__":
    stages.run(main)
