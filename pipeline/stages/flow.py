"""Stage `flow`: frames -> TV-L1 optical flow of each sampled frame and its next, in 8 bits.

Reads   data/frames/<domain>, data/index/<domain>/videos.csv, params flow, features.stream
Writes  data/flow/<domain>/*.zip, a Matroska file (FFV1, x above y) a video; no video if features
        stream
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pipeline import clips, engine, flow, index, lossless, params, paths, per_video, shards, stages
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
        source = shards.opened(self.frames)
        frames, note = lossless.decode(source.read(job.video.key))
        pairs = clips.plan(note["n_frames"], **source.provenance["clips"]).distinct_pairs
        return Sampled(job, frames, note["numbers"], pairs, note["fps"])

    def in_batches(
        self, staging: Staging, todo: Sequence[per_video.Job]
    ) -> Sequence[engine.Failure[per_video.Job]]:
        """Fills the staging store from a GPU; threads read ahead of it and encode behind it."""
        from pipeline.flow import ahead, batched_tvl1, batches

        read = ahead.mapped(self._grey, todo, ahead=AHEAD)
        coded = batches.codes(read, device=batched_tvl1.gpu(), bound=self.extractor.bound)
        with tqdm(total=len(todo), desc=staging.stage, unit="video", disable=None) as bar:
            for job, content in ahead.mapped(_finished, coded, ahead=AHEAD):
                staging.write(job.fingerprint, content)
                bar.update()
        return []

    def _grey(self, job: per_video.Job) -> tuple[Sampled, Frames]:
        video = self.read(job)
        return video, grey_pairs(video.frames, video.numbers, video.pairs)


def _finished(coded: tuple[Sampled, Frames]) -> tuple[per_video.Job, bytes]:
    video, codes = coded
    return video.job, video.encoded(codes)


def main() -> None:
    """Runs the stage for one domain."""
    domain = stages.domain_argument()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    idle = per_video.why_idle(listed, stream=p.features.stream)
    if idle:
        per_video.publish_nothing("flow", domain, paths.flow(domain), idle)
        return
    used = flow.usable(p.flow.implementation)
    print(f"flow {domain}: TV-L1 by {used}")
    extractor = FlowExtractor(used, p.flow.bound)
    made = shards.opened(paths.frames(domain)).fingerprints
    jobs = [per_video.Job(row, extractor.fingerprint(made[row.key])) for row in listed]
    flow.compile_ahead(used)
    work = Flow(paths.frames(domain), extractor)
    by_processes = per_video.by_processes(work, p.engine.workers, p.engine.video_timeout)
    fill = work.in_batches if used == "cuda" else by_processes
    with per_video.staged("flow", domain, jobs, fill) as entries:
        provenance = extractor.provenance() | {"implementation": used}
        entries.publish(paths.flow(domain), provenance=provenance)


if __name__ == "__main__":
    stages.run(main)
