"""The frames that the clips of a video and their flow need, and what shapes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import clips, index, params, video
from pipeline.fingerprint import fingerprint

# raise one when the frames of an unchanged video change
VERSIONS: dict[video.Resize, int] = {"squash": 2, "crop": 3}


@dataclass(frozen=True)
class VideoDecoder:
    """Reads the sampled frames of videos below `root`."""

    root: Path
    clips: params.Clips
    decode: params.Decode

    def __call__(self, listed: index.Video) -> video.Sampled:
        """The frames of one video. Raises VideoError if it cannot be used."""
        section = video.Section(self.root / listed.path, listed.start, listed.stop)
        return video.sample(section, self._needed, size=self.decode.size, resize=self.decode.resize)

    def _needed(self, n_frames: int) -> list[int]:
        return clips.plan(n_frames, **self.clips.model_dump()).needed.tolist()

    def provenance(self) -> dict[str, Any]:
        """What shapes the frames, beside the video itself."""
        return {
            "version": VERSIONS[self.decode.resize],
            "clips": self.clips.model_dump(),
            "decode": self.decode.model_dump(),
        }

    def fingerprint(self, listed: index.Video) -> str:
        """What the frames of a video are made from."""
        section = [listed.start, listed.stop]
        return fingerprint(sha256=listed.sha256, section=section, **self.provenance())
