"""What the one process that gathers results does for many videos: seconds of CPU, and memory.

    python -m benchmarks.many_videos [--videos 100000] [--rows 20000]

Made-up videos with entries of a kilobyte go through everything in stages decode, flow and features
that is not spread over cores or machines: the index, fingerprints, the staging store, shards. The
feature store gets --rows videos of 5 clips with 1024 features each, 41 kB a video.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.extraction import peak
from pipeline import clips, extraction, index, params, stages, store
from pipeline.decoding import VideoDecoder
from pipeline.index import Video
from pipeline.per_video import Entries, Job
from pipeline.staging import Staging, sealed
from pipeline.video_clips import VideoClips

PLAN = params.Clips(segments=5, windows=1, frames=16, sampling="spread")
FEATURES = 1024
FSYNCED = 1000  # entries that are written as the stages do it; the others without waiting


@contextmanager
def measured(what: str, count: int) -> Iterator[None]:
    """Prints CPU and wall time a video, and how far memory rose above what was held before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, cpu, wall = peak(), time.process_time(), time.perf_counter()
    yield
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{what}, {count} videos: {1e6 * cpu / count:.0f} us of CPU a video "
        f"({1e6 * wall / count:.0f} of wall), {peak() - before} MB more memory",
        flush=True,
    )


def entry() -> bytes:
    """Features of one video, as the staging store holds them."""
    plan = clips.plan(150, **PLAN.model_dump())
    empty = np.zeros((5, 1, 1, 1, 3), np.uint8)
    values = np.random.default_rng(0).random((5, FEATURES), np.float32)
    return extraction.entry(VideoClips(empty, empty, plan, 150, 25.0), values, values)


def fill(staging: Staging, jobs: list[Job], content: bytes) -> None:
    """An entry a job."""
    staging.folder.mkdir(parents=True)
    with measured("staging: write, fsync, rename", min(FSYNCED, len(jobs))):
        for job in jobs[:FSYNCED]:
            staging.write(job.fingerprint, content)
    for job in jobs[FSYNCED:]:
        staging.path(job.fingerprint).write_bytes(sealed(content))


def listed(folder: Path, count: int) -> list[Job]:
    """Videos that have gone through an index, with fingerprints."""
    names = [f"class{n % 100:03d}/{n:07d}.mp4" for n in range(count)]
    videos = [
        Video(name, name, None, None, "train", sha256=f"{n:064x}") for n, name in enumerate(names)
    ]
    with measured("index: write", count):
        index.write_videos(folder / "videos.csv", videos)
    with measured("index: read", count):
        videos = index.read_videos(folder / "videos.csv")
    decoder = VideoDecoder(folder, PLAN, params.Decode(size=224, resize="squash"))
    with measured("fingerprints", count):
        return [Job(video, decoder.fingerprint(video)) for video in videos]


def entries_of(staging: Staging, jobs: list[Job]) -> Entries:
    return Entries(staging, {job.video.key: job.fingerprint for job in jobs})


def gather(folder: Path, jobs: list[Job]) -> None:
    """Frames or flow: from the staging store into shards."""
    staging = Staging("decode", "many")
    fill(staging, jobs, os.urandom(1000))
    with measured("staging: what is missing", len(jobs)):
        assert all(staging.holds(job.fingerprint) for job in jobs)
    with measured("shards", len(jobs)):
        entries_of(staging, jobs).publish(folder / "frames", {"version": 1})
    with measured("staging: prune, nothing to delete", len(jobs)):
        staging.prune({job.fingerprint for job in jobs})
    with measured("staging: prune, all to delete", len(jobs)):
        staging.prune(set())


def gather_features(folder: Path, jobs: list[Job]) -> None:
    """Features: from the staging store into HDF5, and read again as training does it."""
    staging = Staging("features", "many")
    fill(staging, jobs, entry())
    entries = entries_of(staging, jobs)
    with measured("feature store: write", len(jobs)):
        store.write(folder / "features", entries.by_key(extraction.read_entry), {"version": 1})
    with measured("feature store: read", len(jobs)):
        store.load(folder / "features")


def main() -> None:
    """Prints a line a step."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.many_videos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["DVC_ROOT"] = name
        jobs = listed(Path(name), options.videos)
        gather(Path(name), jobs)
        gather_features(Path(name), jobs[: options.rows])


if __name__ == "__main__":
    stages.run(main)
