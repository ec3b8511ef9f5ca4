"""Stage `features`: clips -> two-stream features in HDF5, without labels.

The clips are cut out of frames and flow, or with features.stream, straight out of the videos; the
result is the same. Features that a user already has are checked and written in the same form. A
received model, which stands for a source, is handed through to stage `pretrain`.

Reads   data/frames/<domain>, data/flow/<domain> or data/raw/<domain>,
        data/index/<domain>/videos.csv, models/<backbone>, params clips, decode, flow, features
Writes  data/features/<domain>/*.h5
"""

from collections.abc import Sequence

import torch

from pipeline import (
    backbones,
    earlier_features,
    extraction,
    feature_batches,
    flow,
    imported,
    index,
    params,
    paths,
    per_video,
    stages,
    store,
)
from pipeline.decoding import VideoDecoder
from pipeline.errors import UserError
from pipeline.feature_extraction import Extract
from pipeline.flow_extraction import FlowExtractor
from pipeline.handover import bundle
from pipeline.video_clips import ClipSource, Published, Streamed


def require_fit(domain: str, backbone: str, videos: Sequence[index.Video]) -> None:
    """Raises UserError if videos meet the backbone `imported`, or imported features another one."""
    if index.all_imported(videos) != (backbone == "imported"):
        raise UserError(
            f"features {domain}: features.backbone is {backbone}, and {paths.raw(domain)} holds "
            f"{'videos' if backbone == 'imported' else 'features'}; "
            "dataset imported and backbone imported go together"
        )


def source_of(domain: str, p: params.Params) -> ClipSource:
    """Where the clips of a domain come from."""
    if not p.features.stream:
        return Published(paths.frames(domain), paths.flow(domain))
    used = flow.usable(p.flow.implementation)
    flow.compile_ahead(used)
    decoder = VideoDecoder(paths.raw(domain), p.clips, p.decode)
    return Streamed(decoder, FlowExtractor(used, p.flow.bound))


def extract(
    domain: str,
    name: backbones.Name,
    p: params.Params,
    videos: Sequence[index.Video],
    part: str | None,
) -> None:
    """Publishes the features of a domain's videos, or does a part of them."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"features {domain}: {name} on {device}")
    work = Extract(source_of(domain, p), name, paths.backbone(name), p.features, device)
    jobs, fill = work.jobs(videos), feature_batches.filled(work, p.engine)
    earlier_features.take_over(domain, jobs)
    if part:
        per_video.do_part("features", domain, jobs, fill, part)
        return
    with per_video.staged("features", domain, jobs, fill) as entries:
        rows = entries.by_key(extraction.read_entry)
        store.write(paths.features(domain), rows, work.provenance())


def main() -> None:
    """Runs the stage for one domain."""
    domain, part = stages.domain_and_part()
    p = params.load()
    videos = index.read_videos(paths.videos(domain))
    if index.is_model(videos):
        bundle.copy(paths.raw(domain), paths.features(domain))
        print(f"features {domain}: none, the domain is a model that was received")
        return
    backbone = p.features.backbone
    require_fit(domain, backbone, videos)
    if backbone == "imported":
        rows, provenance = imported.rows(paths.raw(domain), videos, p.clips.segments)
        store.write(paths.features(domain), rows, provenance)
        print(f"features {domain}: {len(rows)} videos imported, {provenance['imported']}")
    else:
        extract(domain, backbone, p, videos, part)


if __name__ == "__main__":
    stages.run(main)
