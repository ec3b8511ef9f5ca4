"""Does a video cost the same among 500 as among 10?

    python -m benchmarks.scaling [--videos 10 50 100 500] [--processes 1 2] [--sizes 64]

Short rendered videos (a second, 160 x 120) go straight to features of i3d_nano, through the staging
store and into HDF5, as stage `features` does it. Prints wall and CPU seconds a video, the same
beyond the smallest number of videos, where the start of the processes counts no more, and what the
process that gathers the results holds.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from benchmarks.extraction import peak
from pipeline import engine, flow, params, paths, stages, store
from pipeline.decoding import VideoDecoder
from pipeline.flow_extraction import FlowExtractor
from pipeline.index import Video
from pipeline.per_video import by_processes, staged
from pipeline.stages.features import Extract, Rows
from pipeline.video_clips import Streamed

FRAMES, WIDTH, HEIGHT = 25, 160, 120
PLAN = params.Clips(segments=2, windows=1, frames=8, sampling="spread")


def render(folder: Path, count: int) -> list[Video]:
    """Videos of a texture that glides, each in a direction of its own."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    texture = generator.integers(0, 256, (30, 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    names = [f"{number:04d}.mp4" for number in range(count)]
    for name in names:
        down, right = generator.integers(0, 4, 2)
        with av.open(folder / name, "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for n in range(FRAMES):
                view = texture[n * down :, n * right :][:HEIGHT, :WIDTH]
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(view), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return [Video(name, name, None, None, "test", sha256=name) for name in names]


def seconds() -> np.ndarray:
    """Wall and CPU seconds so far, of this process and those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return np.array([time.perf_counter(), sum(part.ru_utime + part.ru_stime for part in used)])


def extract(folder: Path, videos: list[Video], size: int, processes: int, run: str) -> None:
    """Stage `features` for these videos, into a staging store and an output of the run's own."""
    decoder = VideoDecoder(folder / "raw", PLAN, params.Decode(size=size, resize="squash"))
    source = Streamed(decoder, FlowExtractor("auto", 20))
    features = params.Features(backbone="i3d_nano", precision="float32")
    weights = paths.backbone("i3d_nano").absolute()
    work = Extract(source, "i3d_nano", weights, features, "cpu")
    jobs = work.jobs(videos)
    with staged("features", run, jobs, by_processes(work, processes)) as entries:
        store.write(folder / run, Rows(entries), work.provenance())


def curve(folder: Path, videos: list[Video], counts: list[int], size: int, processes: int) -> None:
    """Prints a line a number of videos."""
    took = dict[int, np.ndarray]()
    for count in counts:
        before = seconds()
        extract(folder, videos[:count], size, processes, f"{size}-{processes}-{count}")
        took[count] = seconds() - before
        wall, cpu = took[count] / count
        line = f"{count:5d} videos: {wall:.3f} s of wall, {cpu:.3f} s of CPU a video"
        if count > counts[0]:
            wall, cpu = (took[count] - took[counts[0]]) / (count - counts[0])
            line += f"; beyond the first {counts[0]}, {wall:.3f} s and {cpu:.3f} s"
        print(f"{line}; this process {peak()} MB at most", flush=True)


def main() -> None:
    """Prints a line a number of videos, of processes and a size of frames."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=int, nargs="+", default=[10, 50, 100, 500])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, engine.cores()])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64])
    options = parser.parse_args()
    flow.compile_ahead()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DVC_ROOT"] = name
        videos = render(folder / "raw", max(options.videos))
        for size in options.sizes:
            for processes in options.processes:
                print(f"{size} px, {processes} processes")
                curve(folder, videos, sorted(options.videos), size, processes)


if __name__ == "__main__":
    stages.run(main)
