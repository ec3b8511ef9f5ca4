"""Stage `decode`: videos -> the frames that their clips and flow need, losslessly coded.

Reads   data/index/<domain>/videos.csv, data/raw/<domain>, params clips, decode, features.stream
Writes  data/frames/<domain>/*.zip, a Matroska file (FFV1) a video; no video if features stream
"""

from dataclasses import dataclass

from pipeline import index, lossless, params, paths, per_video, stages
from pipeline.decoding import VideoDecoder


@dataclass(frozen=True)
class Decode:
    """Decodes one video: its frames as a Matroska file, with their numbers in the note."""

    decoder: VideoDecoder

    def __call__(self, job: per_video.Job) -> bytes:
        """Raises VideoError if the video cannot be used."""
        sampled = self.decoder(job.video)
        summary = sampled.summary
        note = {"numbers": sampled.numbers, "n_frames": summary.frames, "fps": summary.fps}
        return lossless.encode(sampled.frames, fps=summary.fps, note=note)


def main() -> None:
    """Runs the stage for one domain."""
    domain = stages.domain_argument()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    idle = per_video.why_idle(listed, stream=p.features.stream)
    if idle:
        per_video.publish_nothing("decode", domain, paths.frames(domain), idle)
        return
    decoder = VideoDecoder(paths.raw(domain), p.clips, p.decode)
    jobs = [per_video.Job(row, decoder.fingerprint(row)) for row in listed]
    fill = per_video.by_processes(Decode(decoder), p.engine.workers, p.engine.video_timeout)
    with per_video.staged("decode", domain, jobs, fill) as entries:
        entries.publish(paths.frames(domain), provenance=decoder.provenance())


if __name__ == "__main__":
    stages.run(main)
