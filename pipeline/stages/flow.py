"""Stage `flow`: frames -> TV-L1 optical flow of each sampled frame and its next, in 8 bits.

Reads   data/frames/<domain>, data/index/<domain>/videos.csv, params flow, features.stream
Writes  data/flow/<domain>/*.zip, a Matroska file (FFV1, x above y) a video; no video if features
        stream
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pipeline import (
    engine,
    flow,
    index,
    lossless,
    params,
    paths,
    per_video,
    published,
    shards,
    stages,
)
from pipeline.flow_extraction import FlowExtractor, grey_pairs
from pipeline.staging import Staging
from pipeline.video import Frames

AHEAD = 32  # videos read, or encoded, while the GPU computes


@dataclass(frozen=True)
class Sampled:
    """The frames (n, h, w, 3) of one video, their numbers, and which of them begin a pair."""

    job: per_video.Job
    frames: Frames
    numbers: list[int]
    pairs: list[int]
    fps: float

    def encoded(self, codes: Frames) -> bytes:
        """The pairs' 8-bit flow (len(pairs), 2h, w) as a Matroska file, their numbers in a note."""
        return lossless.encode(codes, fps=self.fps, note={"pairs": self.pairs})


@dataclass(frozen=True)
class Flow:
    """Computes videos' flow, as Matroska files."""

    frames: Path
    extractor: FlowExtractor

    def __call__(self, job: per_video.Job) -> bytes:
        """The flow of one video."""
        video = self.read(job)
        return video.encoded(self.extractor(video.frames, video.numbers, video.pairs))

    def read(self, job: per_video.Job) -> Sampled:
        """What stage `decode` made of one video."""
        made = published.frames(shards.opened(self.frames), job.video.key)
        return Sampled(job, made.pictures, made.numbers, made.plan.distinct_pairs, made.fps)

    def in_batches(
        self, staging: Staging, todo: Sequence[per_video.Job]
    ) -> Sequence[engine.Failure[per_video.Job]]:
        """Fills the staging store from a GPU of this machine."""
        with tqdm(total=len(todo), desc=staging.stage, unit="video", disable=None) as bar:
            for job, content in self.stream(todo):
                staging.write(job.fingerprint, content)
                bar.update()
        return []

    def stream(
        self, todo: Sequence[per_video.Job], ahead: int = AHEAD
    ) -> Iterator[tuple[per_video.Job, bytes]]:
        """The flow of many videos from a GPU; threads read ahead of it and encode behind it."""
        from pipeline.flow import batched_tvl1, batches
        from pipeline.flow.ahead import mapped

        read = mapped(self._grey, todo, ahead=ahead)
        coded = batches.codes(read, device=batched_tvl1.gpu(), bound=self.extractor.bound)
        return mapped(_finished, coded, ahead=ahead)

    def _grey(self, job: per_video.Job) -> tuple[Sampled, Frames]:
        video = self.read(job)
        return video, grey_pairs(video.frames, video.numbers, video.pairs)


def _finished(coded: tuple[Sampled, Frames]) -> tuple[per_video.Job, bytes]:
    video, codes = coded
    return video.job, video.encoded(codes)


def filled(work: Flow, section: params.Engine) -> per_video.Fill:
    """How the staging store is filled: on GPUs if they are asked for, here or on a cluster."""
    on_gpu = work.extractor.implementation == "cuda"
    if section.kind == "ray":
        stream = work.stream if on_gpu else None
        return per_video.by_cluster(work, section, stream)
    return work.in_batches if on_gpu else per_video.by_engine(work, section)


def main() -> None:
    """Runs the stage for one domain."""
    domain, part = stages.domain_and_part()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    idle = per_video.why_idle(listed, stream=p.features.stream)
    if idle:
        per_video.publish_nothing("flow", domain, paths.flow(domain), idle, part)
        return
    used = flow.usable(p.flow.implementation)
    print(f"flow {domain}: TV-L1 by {used}")
    extractor = FlowExtractor(used, p.flow.bound)
    made = shards.opened(paths.frames(domain)).fingerprints
    jobs = [per_video.Job(row, extractor.fingerprint(made[row.key])) for row in listed]
    flow.compile_ahead(used)
    work = Flow(paths.frames(domain), extractor)
    fill = filled(work, p.engine)
    if part:
        per_video.do_part("flow", domain, jobs, fill, part)
        return
    with per_video.staged("flow", domain, jobs, fill) as entries:
        provenance = extractor.provenance() | {"implementation": used}
        entries.publish(paths.flow(domain), provenance=provenance)


if __name__ == "__main__":
    stages.run(main)
