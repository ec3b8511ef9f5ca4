"""The clips of one video as the networks see them, cut out of published frames or the raw video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline import clips, published, shards, video
from pipeline.decoding import VideoDecoder
from pipeline.errors import UserError
from pipeline.flow_extraction import FlowExtractor
from pipeline.index import Video
from pipeline.per_video import Job


@dataclass(frozen=True)
class VideoClips:
    """The c = T * W clips of one video, as 8-bit codes.

    rgb   (c, F, h, w, 3) uint8         flow  (c, F, h, w, 2) uint8, x and y
    plan  the frame numbers they were made of
    """

    rgb: NDArray[np.uint8]
    flow: NDArray[np.uint8]
    plan: clips.ClipPlan
    n_frames: int
    fps: float


class ClipSource(Protocol):
    """Where the clips of videos come from, and what they are made from."""

    def read(self, job: Job) -> VideoClips:
        """The clips of one video. Raises VideoError if it cannot be used."""

    def provenance(self) -> dict[str, Any]:
        """What shapes the `frames` and the `flow`, beside the videos."""

    def fingerprints(self, listed: Video) -> list[str]:
        """What one video's frames and its flow are made from."""


@dataclass(frozen=True)
class Published:
    """Clips out of the shards of stages `decode` and `flow`."""

    frames: Path
    flow: Path

    def read(self, job: Job) -> VideoClips:
        """The clips of one video. Raises UserError if frames and flow do not fit each other."""
        key = job.video.key
        frames = published.frames(shards.opened(self.frames), key)
        flow = published.flow(shards.opened(self.flow), key)
        return VideoClips(
            rgb=_cut(frames.pictures, frames.numbers, frames.plan.frames, frames.size),
            flow=_cut(_fields(flow.codes), flow.pairs, frames.plan.pairs, frames.size),
            plan=frames.plan,
            n_frames=frames.n_frames,
            fps=frames.fps,
        )

    def provenance(self) -> dict[str, Any]:
        """What shaped the published frames and flow."""
        frames, flow = (dict(shards.opened(part).provenance) for part in (self.frames, self.flow))
        flow.pop(
            "implementation", None
        )  # where several give the same flow, which one has no effect
        return {"frames": frames, "flow": flow}

    def fingerprints(self, listed: Video) -> list[str]:
        """What one video's frames and its flow were made from."""
        return [shards.opened(part).fingerprints[listed.key] for part in (self.frames, self.flow)]


@dataclass(frozen=True)
class Streamed:
    """Clips straight from raw videos; frames and flow are never written.

    Clips, provenance and fingerprints equal those of the shards that stages `decode` and `flow`
    would publish.
    """

    decoder: VideoDecoder
    flow: FlowExtractor

    def read(self, job: Job) -> VideoClips:
        """The clips of one video. Raises VideoError if it cannot be used."""
        sampled = self.decoder(job.video)
        n_frames, size = sampled.summary.frames, self.decoder.decode.size
        plan = clips.plan(n_frames, **self.decoder.clips.model_dump())
        codes = self.flow(sampled.frames, sampled.numbers, plan.distinct_pairs)
        return VideoClips(
            rgb=_cut(sampled.frames, sampled.numbers, plan.frames, size),
            flow=_cut(_fields(codes), plan.distinct_pairs, plan.pairs, size),
            plan=plan,
            n_frames=n_frames,
            fps=sampled.summary.fps,
        )

    def provenance(self) -> dict[str, Any]:
        """What shapes frames and flow."""
        return {"frames": self.decoder.provenance(), "flow": self.flow.provenance()}

    def fingerprints(self, listed: Video) -> list[str]:
        """What one video's frames and its flow are made from."""
        frames = self.decoder.fingerprint(listed)
        return [frames, self.flow.fingerprint(frames)]


def _fields(codes: video.Frames) -> video.Frames:
    """Codes (n, 2h, w), x above y -> (n, h, w, 2)."""
    count, height, width = len(codes), codes.shape[1] // 2, codes.shape[2]
    return codes.reshape(count, 2, height, width).transpose(0, 2, 3, 1)


def _cut(
    pictures: video.Frames, numbers: Sequence[int], wanted: clips.Indices, size: int
) -> video.Frames:
    """Pictures (n, h, w, d) of ascending numbers -> clips (T * W, F, size, size, d) of `wanted`."""
    if not np.isin(wanted, numbers).all() or min(pictures.shape[1:3]) < size:
        raise UserError("frames and flow are not of one clip plan; run `dvc repro` to make them")
    rows = np.searchsorted(np.asarray(numbers), wanted)
    return video.centre(pictures, size)[rows.reshape(-1, wanted.shape[-1])]
