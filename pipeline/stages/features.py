"""Stage `features`: frames and flow -> two-stream clip features in HDF5, without labels.

Features that a user already has are checked and written in the same form.

Reads   data/frames/<domain>, data/flow/<domain>, data/index/<domain>/videos.csv,
        models/<backbone>, params features; data/raw/<domain> if the features are imported
Writes  data/features/<domain>/*.h5
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from pipeline import (
    backbones,
    engine,
    extraction,
    imported,
    index,
    params,
    paths,
    per_video,
    shards,
    stages,
    store,
)
from pipeline.errors import UserError
from pipeline.fingerprint import fingerprint
from pipeline.staging import Staging

VERSION = 2  # raise it when the features of unchanged frames and flow change
GPU_BATCH = 64  # clips


@dataclass(frozen=True)
class Extract:
    """Extracts one video's features, or on a GPU, many videos' at once."""

    frames: Path
    flow: Path
    name: backbones.Name
    weights: Path
    features: params.Features
    device: str

    def __call__(self, job: per_video.Job) -> bytes:
        """The features of one video, as an entry of the staging store."""
        return extraction.extract_video(self.extractor(), self.read(job))

    def read(self, job: per_video.Job) -> extraction.VideoClips:
        """The clips of one video."""
        return extraction.read_clips(self.frames, self.flow, job.video.key)

    def extractor(self) -> extraction.Extractor:
        """The backbones, loaded once a process."""
        return extraction.extractor(self.name, self.weights, self.features.precision, self.device)

    def provenance(self) -> dict[str, Any]:
        """All that shapes the features, from the frames on."""
        return {
            "version": VERSION,
            "features": self.features.model_dump(),
            "backbone_sha256": backbones.digest(self.weights),
            "frames": shards.opened(self.frames).provenance,
            "flow": shards.opened(self.flow).provenance,
        }

    def fingerprint(self, key: str, provenance: Mapping[str, Any]) -> str:
        """What a video's features are made from."""
        parts = [shards.opened(part).fingerprints[key] for part in (self.frames, self.flow)]
        return fingerprint(parts=parts, **provenance)

    def in_batches(
        self, staging: Staging, todo: Sequence[per_video.Job]
    ) -> Sequence[engine.Failure[per_video.Job]]:
        """Fills the staging store in batches across videos; for a GPU."""
        with tqdm(total=len(todo), desc=staging.stage, unit="video", disable=None) as bar:
            read = self._read_ahead(todo)
            for job, content in extraction.extract_many(self.extractor(), read, GPU_BATCH):
                staging.write(job.fingerprint, content)
                bar.update()
        return []

    def _read_ahead(
        self, jobs: Sequence[per_video.Job], ahead: int = 16
    ) -> Iterator[tuple[per_video.Job, extraction.VideoClips]]:
        """Clips of the jobs in order, read by threads, at most `ahead` videos in memory."""
        with ThreadPoolExecutor() as pool:
            pending = [pool.submit(self.read, job) for job in jobs[:ahead]]
            for number, job in enumerate(jobs):
                cut = pending.pop(0).result()
                if number + ahead < len(jobs):
                    pending.append(pool.submit(self.read, jobs[number + ahead]))
                yield job, cut


def require_fit(domain: str, backbone: str, videos: Sequence[index.Video]) -> None:
    """Raises UserError if videos meet the backbone `imported`, or imported features another one."""
    if index.all_imported(videos) != (backbone == "imported"):
        raise UserError(
            f"features {domain}: features.backbone is {backbone}, and {paths.raw(domain)} holds "
            f"{'videos' if backbone == 'imported' else 'features'}; "
            "dataset imported and backbone imported go together"
        )


def extract(
    domain: str, name: backbones.Name, p: params.Params, videos: Sequence[index.Video]
) -> None:
    """Publishes the features of a domain's videos."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    work = Extract(
        paths.frames(domain), paths.flow(domain), name, paths.backbone(name), p.features, device
    )
    provenance = work.provenance()
    jobs = [per_video.Job(video, work.fingerprint(video.key, provenance)) for video in videos]
    on_cpu = per_video.by_processes(work, p.engine.workers)
    fill = work.in_batches if device == "cuda" else on_cpu
    with per_video.staged("features", domain, jobs, fill) as entries:
        rows = {
            job.video.key: extraction.read_entry(job.fingerprint, content)
            for job, content in entries.read()
        }
        store.write(paths.features(domain), rows, provenance)


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
