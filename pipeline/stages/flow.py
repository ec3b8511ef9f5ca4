"""Stage `flow`: frames -> TV-L1 optical flow of each sampled frame and its next, in 8 bits.

Reads   data/frames/<domain>, data/index/<domain>/videos.csv, params flow
Writes  data/flow/<domain>/*.zip, a Matroska file (FFV1, x above y) a video
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline import clips, flow, index, params, paths, per_video, shards, stages, video
from pipeline.fingerprint import fingerprint

VERSION = 1  # raise it when the flow of unchanged frames changes


@dataclass(frozen=True)
class Flow:
    """Computes one video's flow, as a Matroska file with the pairs' numbers in the note."""

    frames: Path
    implementation: flow.Implementation
    bound: float

    def __call__(self, job: per_video.Job) -> bytes:
        """The flow of one video."""
        source = shards.opened(self.frames)
        frames, note = video.decode_lossless(source.read(job.video.key))
        plan = clips.plan(note["n_frames"], **source.provenance["clips"])
        position = {number: row for row, number in enumerate(note["numbers"])}
        pairs = np.unique(plan.pairs).tolist()
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        codes = [self._code(grey[position[i]], grey[position[i + 1]]) for i in pairs]
        return video.encode_lossless(np.stack(codes), fps=note["fps"], note={"pairs": pairs})

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


def main() -> None:
    """Runs the stage for one domain."""
    domain = stages.domain_argument()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    if index.all_imported(listed):
        per_video.publish_nothing("flow", domain, paths.flow(domain))
        return
    used = flow.usable(p.flow.implementation)
    work = Flow(paths.frames(domain), used, p.flow.bound)
    made = shards.opened(paths.frames(domain)).fingerprints
    jobs = [
        per_video.Job(row, fingerprint(frames=made[row.key], **work.provenance())) for row in listed
    ]
    flow.compile_ahead(used)
    print(f"flow {domain}: TV-L1 by {used}")
    fill = per_video.by_processes(work, p.engine.workers)
    with per_video.staged("flow", domain, jobs, fill) as entries:
        entries.publish(paths.flow(domain), provenance=work.provenance() | {"implementation": used})


if __name__ == "__main__":
    stages.run(main)
