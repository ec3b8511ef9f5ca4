"""A source of clips that need no video, for workers of the tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import clips
from pipeline.errors import VideoError
from pipeline.index import Video
from pipeline.per_video import Job
from pipeline.video_clips import VideoClips

SIZE, FRAMES = 32, 8


@dataclass(frozen=True)
class Drawn:
    """Clips drawn from a video's key, a number; `bad` cannot be read, `endless` has no end."""

    def read(self, job: Job) -> VideoClips:
        """Three clips of coloured noise."""
        if "bad" in job.video.key:
            raise VideoError(f"{job.video.key} is cut off")
        while job.video.key == "endless":
            pass
        number = int(job.video.key)
        plan = clips.plan(50 + number, segments=3, windows=1, frames=FRAMES, sampling="spread")
        drawn = np.random.default_rng(number)
        rgb = drawn.integers(0, 256, (3, FRAMES, SIZE, SIZE, 3), np.uint8)
        return VideoClips(rgb, rgb[..., :2].copy(), plan, n_frames=50 + number, fps=25.0)

    def provenance(self) -> dict[str, Any]:
        """Nothing shapes them."""
        return {"frames": {}, "flow": {}}

    def fingerprints(self, listed: Video) -> list[str]:
        """The key is all that they are made from."""
        return [listed.key, listed.key]
