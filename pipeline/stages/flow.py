"""Stage `flow`: frames -> TV-L1 optical flow of each sampled frame and its next, in 8 bits.

Reads   data/frames/<domain>, data/index/<domain>/videos.csv, params flow, features.stream
Writes  data/flow/<domain>/*.zip, a Matroska file (FFV1, x above y) a video; no video if features
        stream
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline import clips, flow, index, lossless, params, paths, per_video, shards, stages
from pipeline.flow_extraction import FlowExtractor


@dataclass(frozen=True)
class Flow:
    """Computes one video's flow, as a Matroska file with the pairs' numbers in the note."""

    frames: Path
    extractor: FlowExtractor

    def __call__(self, job: per_video.Job) -> bytes:
        """The flow of one video."""
        source = shards.opened(self.frames)
        frames, note = lossless.decode(source.read(job.video.key))
        pairs = clips.plan(note["n_frames"], **source.provenance["clips"]).distinct_pairs
        codes = self.extractor(frames, note["numbers"], pairs)
        return lossless.encode(codes, fps=note["fps"], note={"pairs": pairs})


def main() -> None:
    """Runs the stage for one domain."""
    domain = stages.domain_argument()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    idle = per_video.why_idle(listed, stream=p.features.stream)
    if idle:
        per_video.publish_nothing("flow", domain, paths.flow(domain), idle)
        return
    extractor = FlowExtractor(p.flow)
    made = shards.opened(paths.frames(domain)).fingerprints
    jobs = [per_video.Job(row, extractor.fingerprint(made[row.key])) for row in listed]
    flow.compile_ahead(p.flow.implementation)
    fill = per_video.by_processes(Flow(paths.frames(domain), extractor), p.engine.workers)
    with per_video.staged("flow", domain, jobs, fill) as entries:
        entries.publish(paths.flow(domain), provenance=extractor.provenance())


if __name__ == "__main__":
    stages.run(main)
