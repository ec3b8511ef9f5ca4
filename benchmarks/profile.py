"""Where does the time from videos to features go?

    python -m benchmarks.profile DOMAIN [--videos 10]

Takes some videos of a domain whose index is there (`dvc repro index@DOMAIN`) from raw to features
as params.yaml says, in this process and on one thread, without the staging store's help. Prints a
table and writes it to results/profile.csv. The first video, which loads libraries and weights, is
done once before.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.clock import STREAM, Clock
from pipeline import atomic, extraction, flow, index, params, paths, stages, store, tables
from pipeline.decoding import VideoDecoder
from pipeline.errors import UserError
from pipeline.feature_extraction import Extract
from pipeline.flow_extraction import FlowExtractor
from pipeline.per_video import Job
from pipeline.video_clips import Streamed

FILE = paths.RESULTS / "profile.csv"
FIELDS = ("part", "seconds", "seconds_per_video", "share")


def work_of(domain: str, p: params.Params) -> Extract:
    """The work of stage `features`, straight from the videos."""
    if p.features.backbone == "imported":
        raise UserError(f"{domain}: features.backbone is imported, so there is nothing to profile")
    used = flow.usable(p.flow.implementation)
    flow.compile_ahead(used)
    decoder = VideoDecoder(paths.raw(domain), p.clips, p.decode)
    source = Streamed(decoder, FlowExtractor(used, p.flow.bound))
    name = p.features.backbone
    return Extract(source, name, paths.backbone(name), p.features, "cpu")


def run(work: Extract, jobs: Sequence[Job], folder: Path) -> None:
    """All that stage `features` does, with its entries and its output below `folder`."""
    rows = {}
    for job in jobs:
        content = work(job)
        atomic.write_file(folder / job.fingerprint, content)
        rows[job.video.key] = extraction.read_entry(job.fingerprint, content)
    store.write(folder / "features", rows, work.provenance())


def profile(work: Extract, jobs: Sequence[Job]) -> list[dict[str, str]]:
    """A row a part, in the order of the work, and the rest and the total."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        run(work, jobs[:1], Path(folder))
        with clock.watching():
            clock.timed("other", run)(work, jobs, Path(folder))
    total = sum(clock.seconds.values())
    spent = {part: clock.seconds[part] for part in (*STREAM, "other")} | {"total": total}
    return [
        {
            "part": part,
            "seconds": f"{seconds:.3f}",
            "seconds_per_video": f"{seconds / len(jobs):.4f}",
            "share": f"{seconds / total:.4f}",
        }
        for part, seconds in spent.items()
    ]


def main() -> None:
    """Prints the table and writes the file."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("domain", help="a name under `domains` in params.yaml")
    parser.add_argument("--videos", type=int, default=10, help="so many, spread over the domain's")
    options = parser.parse_args()
    videos = index.read_videos(paths.videos(options.domain))
    count = min(max(1, options.videos), len(videos))
    chosen = np.linspace(0, len(videos) - 1, count).round().astype(int)
    work = work_of(options.domain, params.load())
    rows = profile(work, work.jobs([videos[number] for number in chosen]))
    tables.write(FILE, rows, FIELDS)
    print(f"{options.domain}: {count} of {len(videos)} videos, {work.name}, one thread")
    for row in rows:
        share = f"{float(row['share']):6.1%}"
        print(f"  {row['part']:8} {float(row['seconds_per_video']):8.3f} s a video  {share}")
    print(f"written to {FILE}")


if __name__ == "__main__":
    stages.run(main)
