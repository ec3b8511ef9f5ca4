"""Stage `pictures`: frames and flow -> a small picture of each video, for the report.

Reads   data/frames/<domain>, data/flow/<domain>, data/index/<domain>/videos.csv, params pictures,
        features.stream
Writes  data/pictures/<domain>/*.zip, a JPEG a video; no video if features stream or are imported
"""

from pipeline import index, params, paths, per_video, shards, stages
from pipeline.video_picture import VideoPicture


def main() -> None:
    """Runs the stage for one domain."""
    domain, part = stages.domain_and_part()
    p = params.load()
    listed = index.read_videos(paths.videos(domain))
    height = p.pictures.height
    idle = per_video.why_idle(listed, stream=p.features.stream)
    if idle or height is None:
        why = idle or "pictures.height is null"
        per_video.publish_nothing("pictures", domain, paths.pictures(domain), why, part)
        return
    work = VideoPicture(paths.frames(domain), paths.flow(domain), height)
    jobs = [per_video.Job(row, work.fingerprint(row.key)) for row in listed]
    fill = per_video.by_engine(work, p.engine)
    if part:
        per_video.do_part("pictures", domain, jobs, fill, part)
        return
    with per_video.staged("pictures", domain, jobs, fill) as entries:
        entries.publish(paths.pictures(domain), work.provenance(), shards.JPEG)


if __name__ == "__main__":
    stages.run(main)
