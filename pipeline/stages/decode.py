"""Stage `decode`: videos -> the frames that their clips and flow need, losslessly coded.

Reads   data/index/<domain>/videos.csv, data/raw/<domain>, params clips, decode
Writes  data/frames/<domain>/*.zip, a Matroska file (FFV1) a video
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import clips, index, params, paths, per_video, stages, video
from pipeline.fingerprint import fingerprint

VERSION = 1  # raise it when the frames of an unchanged video change


@dataclass(frozen=True)
class Decode:
    """Decodes one video: its frames as a Matroska file, with their numbers in the note."""

    root: Path
    clips: params.Clips
    decode: params.Decode

    def __call__(self, job: per_video.Job) -> bytes:
        """Raises VideoError if the video cannot be used."""
        section = video.Section(self.root / job.video.path, job.video.start, job.video.stop)
        summary = video.inspect(section)
        plan = clips.plan(summary.frames, **self.clips.model_dump())
        numbers = plan.needed.tolist()
        frames = video.read(section, numbers, size=self.decode.size, resize=self.decode.resize)
        note = {"numbers": numbers, "n_frames": summary.frames, "fps": summary.fps}
        return video.encode_lossless(frames, fps=summary.fps, note=note)

    def provenance(self) -> dict[str, Any]:
        """What shapes the frames, beside the video itself."""
        return {
            "version": VERSION,
            "clips": self.clips.model_dump(),
            "decode": self.decode.model_dump(),
        }

    def fingerprint(self, listed: index.Video) -> str:
        """What the frames of a video are made from."""
        section = [listed.start, listed.stop]
        return fingerprint(sha256=listed.sha256, section=section, **self.provenance())


def main() -> None:
    """Runs the stage for one domain."""
    domain = stages.domain_argument()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    if index.all_imported(listed):
        per_video.publish_nothing("decode", domain, paths.frames(domain))
        return
    work = Decode(paths.raw(domain), p.clips, p.decode)
    jobs = [per_video.Job(row, work.fingerprint(row)) for row in listed]
    fill = per_video.by_processes(work, p.engine.workers)
    with per_video.staged("decode", domain, jobs, fill) as entries:
        entries.publish(paths.frames(domain), provenance=work.provenance())


if __name__ == "__main__":
    stages.run(main)
