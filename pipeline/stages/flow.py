"""Stage `flow`: frames -> TV-L1 optical flow of each sampled frame and its next, in 8 bits.

Reads   data/frames/<domain>, data/index/<domain>/videos.csv, params flow
Writes  data/flow/<domain>/*.zip, a Matroska file (FFV1, x above y) a video
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from pipeline import clips, engine, flow, index, params, paths, per_video, shards, stages, video
from pipeline.fingerprint import fingerprint
from pipeline.staging import Staging

VERSION = 1  # raise it when the flow of unchanged frames changes
AHEAD = 32  # videos read, or encoded, while the GPU computes


@dataclass(frozen=True)
class Pairs:
    """The pairs of grey frames of one video, uint8 (n, 2, h, w), and their numbers (n)."""

    job: per_video.Job
    numbers: list[int]
    frames: video.Frames
    fps: float

    def encoded(self, codes: video.Frames) -> bytes:
        """Their 8-bit flow (n, 2h, w), x above y, as a Matroska file."""
        return video.encode_lossless(codes, fps=self.fps, note={"pairs": self.numbers})


@dataclass(frozen=True)
class Flow:
    """Computes videos' flow, as Matroska files with the pairs' numbers in the note."""

    frames: Path
    implementation: flow.Implementation
    bound: float

    def __call__(self, job: per_video.Job) -> bytes:
        """The flow of one video."""
        pairs = self.read(job)
        return pairs.encoded(np.stack([self._code(*pair) for pair in pairs.frames]))

    def in_batches(
        self, staging: Staging, todo: Sequence[per_video.Job]
    ) -> Sequence[engine.Failure[per_video.Job]]:
        """Fills the staging store from a GPU; threads read ahead of it and encode behind it."""
        from pipeline.flow import ahead, batched_tvl1, batches

        read = ((pairs, pairs.frames) for pairs in ahead.mapped(self.read, todo, ahead=AHEAD))
        coded = batches.codes(read, device=batched_tvl1.gpu(), bound=self.flow.bound)
        with tqdm(total=len(todo), desc=staging.stage, unit="video", disable=None) as bar:
            for job, content in ahead.mapped(_finished, coded, ahead=AHEAD):
                staging.write(job.fingerprint, content)
                bar.update()
        return []

    def read(self, job: per_video.Job) -> Pairs:
        """The pairs of one video."""
        source = shards.opened(self.frames)
        frames, note = video.decode_lossless(source.read(job.video.key))
        plan = clips.plan(note["n_frames"], **source.provenance["clips"])
        position = {number: row for row, number in enumerate(note["numbers"])}
        numbers = np.unique(plan.pairs).tolist()
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        pairs = np.stack([[grey[position[i]], grey[position[i + 1]]] for i in numbers])
        return Pairs(job, numbers, pairs, note["fps"])

    def _code(self, first: video.Frames, second: video.Frames) -> video.Frames:
        """The flow of a pair of grey frames (h, w) as 8-bit code (2h, w), x above y."""
        field = flow.tvl1(first, second, implementation=self.implementation)
        return np.concatenate(list(flow.to_code(field, self.bound)))

    def provenance(self) -> dict[str, Any]:
        """What shapes the flow, beside the frames."""
        return {
            "version": VERSION,
            "algorithm": flow.provenance(self.implementation),
            "bound": self.bound,
        }


def _finished(coded: tuple[Pairs, video.Frames]) -> tuple[per_video.Job, bytes]:
    pairs, codes = coded
    return pairs.job, pairs.encoded(codes)


def main() -> None:
    """Runs the stage for one domain."""
    domain = stages.domain_argument()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    if index.all_imported(listed):
        per_video.publish_nothing("flow", domain, paths.flow(domain))
        return
    used = flow.usable_for_many(p.flow.implementation)
    work = Flow(paths.frames(domain), used, p.flow.bound)
    made = shards.opened(paths.frames(domain)).fingerprints
    jobs = [
        per_video.Job(row, fingerprint(frames=made[row.key], **work.provenance())) for row in listed
    ]
    print(f"flow {domain}: TV-L1 by {used}")
    on_cpu = per_video.by_processes(work, p.engine.workers)
    fill = work.in_batches if used == "cuda" else on_cpu
    with per_video.staged("flow", domain, jobs, fill) as entries:
        entries.publish(paths.flow(domain), provenance=work.provenance() | {"implementation": used})


if __name__ == "__main__":
    stages.run(main)
