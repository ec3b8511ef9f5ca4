"""Stage `features`: clips -> two-stream features in HDF5, without labels.

The clips are cut out of frames and flow, or with features.stream, straight out of the videos; the
result is the same. Features that a user already has are checked and written in the same form. A
received model, which stands for a source, is handed through to stage `pretrain`.

Reads   data/frames/<domain>, data/flow/<domain> or data/raw/<domain>,
        data/index/<domain>/videos.csv, models/<backbone>, params clips, decode, flow, features
Writes  data/features/<domain>/*.h5
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from pipeline import (
    backbones,
    dvc_cache,
    engine,
    extraction,
    flow,
    imported,
    index,
    params,
    paths,
    per_video,
    ray_engine,
    stages,
    store,
)
from pipeline.decoding import VideoDecoder
from pipeline.errors import UserError
from pipeline.feature_extraction import Extract
from pipeline.flow_extraction import FlowExtractor
from pipeline.handover import bundle
from pipeline.staging import Staging
from pipeline.video_clips import ClipSource, Published, Streamed

GPU_BATCH = 64  # clips


def in_batches(work: Extract, section: params.Engine) -> per_video.Fill:
    """Clips are read by processes, and their features computed in batches across videos."""

    def fill(
        staging: Staging, todo: Sequence[per_video.Job]
    ) -> Sequence[engine.Failure[per_video.Job]]:
        failures = list[engine.Failure[per_video.Job]]()
        label = f"{staging.stage} {staging.domain}"
        workers, timeout = section.workers, section.video_timeout
        read = engine.results(
            work.source.read, todo, failures, label=label, workers=workers, timeout=timeout
        )
        for job, content in extraction.extract_many(work.extractor(), read, GPU_BATCH):
            staging.write(job.fingerprint, content)
        return failures

    return fill


def stream(work: Extract) -> ray_engine.Stream[per_video.Job, bytes]:
    """As `in_batches`, of a cluster: clips are read by its cores, beside each of its GPUs."""

    def extract_all(
        todo: Sequence[per_video.Job], ahead: int
    ) -> Iterator[tuple[per_video.Job, bytes | engine.Reason]]:
        failures = list[engine.Failure[per_video.Job]]()
        found = ray_engine.outcomes(work.source.read, todo, ahead)
        read = ray_engine.told_apart(found, failures)
        yield from extraction.extract_many(work.extractor(), read, GPU_BATCH)
        yield from ((failure.item, engine.Reason(failure.reason)) for failure in failures)

    return extract_all


def filled(work: Extract, section: params.Engine) -> per_video.Fill:
    """How the staging store is filled: on GPUs if there are any, here or on a cluster."""
    if section.kind == "ray":
        on_gpus = stream(replace(work, device="cuda"))
        on_cpus = replace(work, device="cpu")
        return per_video.by_cluster(on_cpus, section, on_gpus)
    fill = in_batches if work.device == "cuda" else per_video.by_engine
    return fill(work, section)


def take_over(domain: str, jobs: Sequence[per_video.Job]) -> None:
    """Fills the staging store with rows of the domain's last features, made here or pulled.

    DVC has deleted them from the workspace by now, and holds them in its cache. After
    `pipeline.staging --clear` nothing is taken over.
    """
    staging, count = Staging("features", domain), 0
    if staging.cleared:
        return
    missing = {job.fingerprint for job in jobs if not staging.holds(job.fingerprint)}
    for row in cached_rows(paths.features(domain)) if missing else ():
        if row.fingerprint in missing:
            staging.write(row.fingerprint, extraction.entry_of(row))
            count += 1
    if count:
        print(f"features {domain}: {count} videos taken over from DVC's cache")


def cached_rows(folder: Path) -> Iterator[store.VideoFeatures]:
    """The rows of a feature store as DVC's cache holds it; a damaged file ends in a note."""
    for path in dvc_cache.files(folder):
        try:
            yield from store.rows(path)
        except UserError as fault:
            print(f"note: {fault}")


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
    jobs, fill = work.jobs(videos), filled(work, p.engine)
    take_over(domain, jobs)
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
