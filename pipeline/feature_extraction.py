"""The features of a video's clips, and what shapes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import backbones, extraction, index, params, per_video
from pipeline.fingerprint import fingerprint
from pipeline.video_clips import ClipSource

VERSION = 2  # raise it when the features of unchanged frames and flow change


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
