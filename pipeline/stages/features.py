"""Stage `features`: clips -> two-stream features in HDF5, without labels.

The clips are cut out of frames and flow, or with features.stream, straight out of the videos; the
result is the same. Features that a user already has are checked and written in the same form.

Reads   data/frames/<domain>, data/flow/<domain> or data/raw/<domain>,
        data/index/<domain>/videos.csv, models/<backbone>, params clips, decode, flow, features
Writes  data/features/<domain>/*.h5
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    stages,
    store,
)
from pipeline.decoding import VideoDecoder
from pipeline.errors import UserError
from pipeline.fingerprint import fingerprint
from pipeline.flow_extraction import FlowExtractor
from pipeline.staging import Staging
from pipeline.video_clips import ClipSource, Published, Streamed

VERSION = 2  # raise it when the features of unchanged frames and flow change
GPU_BATCH = 64  # clips


@dataclass(frozen=True)
class Extract:
    """Extracts one video's features, or on a GPU, many videos' at once."""

    source: ClipSource
    name: backbones.Name
    weights: Path
    features: params.Features
    device: str

    def __call__(self, job: per_video.Job) -> bytes:
        """The features of one video, as an entry of the staging store."""
        return extraction.extract_video(self.extractor(), self.source.read(job))

    def extractor(self) -> extraction.Extractor:
        """The backbones, loaded once a process."""
        return extraction.extractor(self.name, self.weights, self.features.precision, self.device)

    def provenance(self) -> dict[str, Any]:
        """All that shapes the features, from the frames on."""
        return {
            "version": VERSION,
            "features": self.features.model_dump(exclude={"stream"}),
            "backbone_sha256": backbones.digest(self.weights),
            **self.source.provenance(),
        }

    def jobs(self, videos: Sequence[index.Video]) -> list[per_video.Job]:
        """Each video with what its features are made from."""
        made_from = self.provenance()
        return [
            per_video.Job(row, fingerprint(parts=self.source.fingerprints(row), **made_from))
            for row in videos
        ]


def in_batches(work: Extract, workers: int | None, timeout: float | None = None) -> per_video.Fill:
    """Clips are read by processes, `timeout` seconds a video, their features made across videos."""

    def fill(
        staging: Staging, todo: Sequence[per_video.Job]
    ) -> Sequence[engine.Failure[per_video.Job]]:
        failures = list[engine.Failure[per_video.Job]]()
        label = f"{staging.stage} {staging.domain}"
        read = engine.results(
            work.source.read, todo, failures, label=label, workers=workers, timeout=timeout
        )
        for job, content in extraction.extract_many(work.extractor(), read, GPU_BATCH):
            staging.write(job.fingerprint, content)
        return failures

    return fill


@dataclass(frozen=True, eq=False)
class Rows(Mapping[str, store.VideoFeatures]):
    """The features of videos by their keys, read from the staging store when asked for."""

    entries: per_video.Entries

    def __getitem__(self, key: str) -> store.VideoFeatures:
        return extraction.read_entry(self.entries.fingerprints[key], self.entries[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


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
    domain: str, name: backbones.Name, p: params.Params, videos: Sequence[index.Video]
) -> None:
    """Publishes the features of a domain's videos."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"features {domain}: {name} on {device}")
    work = Extract(source_of(domain, p), name, paths.backbone(name), p.features, device)
    by = in_batches if device == "cuda" else per_video.by_processes
    fill = by(work, p.engine.workers, p.engine.video_timeout)
    jobs = work.jobs(videos)
    take_over(domain, jobs)
    with per_video.staged("features", domain, jobs, fill) as entries:
        store.write(paths.features(domain), Rows(entries), work.provenance())


def main() -> None:
    """Runs the stage for one domain."""
    domain = stages.domain_argument()
    p = params.load()
    videos = index.read_videos(paths.videos(domain))
    backbone = p.features.backbone
    require_fit(domain, backbone, videos)
    if backbone == "imported":
        rows, provenance = imported.rows(paths.raw(domain), videos)
        store.write(paths.features(domain), rows, provenance)
        print(f"features {domain}: {len(rows)} videos imported, {provenance['imported']}")
    else:
        extract(domain, backbone, p, videos)


if __name__ == "__main__":
    stages.run(main)
