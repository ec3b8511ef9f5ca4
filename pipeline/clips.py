"""The sampling plan: which frames of a video make its clips. Pure index arithmetic."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["spread", "consecutive"]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ClipPlan:
    """Frame numbers of a video's clips.

    frames  (T, W, F) shown to the RGB network: T segments, W windows each, F frames a window
    pairs   (T, W, F) first frame of the pair whose flow stands beside each; its second is +1
    """

    frames: Indices
    pairs: Indices

    @property
    def needed(self) -> Indices:
        """All frame numbers to decode, ascending: sampled frames and both frames of each pair."""
        return np.unique(np.concatenate([self.frames, self.pairs, self.pairs + 1], axis=None))


def plan(
    n_frames: int, *, segments: int, windows: int, frames: int, sampling: Sampling
) -> ClipPlan:
    """Cuts a video of `n_frames` into `segments` equal parts, each into `windows` equal parts.

    "spread" takes `frames` positions evenly from each part (MTRAN); "consecutive" takes a run of
    `frames` neighbours around the part's middle (cross-modal contrastive). A part or a video that
    is too short repeats frame numbers in order; none is left out.

    Flow pairs a frame with its next one; the last frame of a video, which has none, borrows the
    pair before it.

    Raises ValueError for fewer than 2 frames.
    """
    if n_frames < 2:
        raise ValueError(f"a clip plan needs at least 2 frames, got {n_frames}")
    parts = segments * windows
    bounds = np.arange(parts + 1) * (n_frames / parts)
    starts, stops = bounds[:-1, None], bounds[1:, None]
    positions: NDArray[np.floating]
    if sampling == "consecutive" and n_frames >= frames:
        first = np.floor((starts + stops - frames) / 2 + 0.5)
        positions = np.clip(first, 0, n_frames - frames) + np.arange(frames)
    else:
        if sampling == "consecutive":
            starts, stops = np.zeros_like(starts), np.full_like(stops, n_frames)
        positions = starts + (np.arange(frames) + 0.5) * (stops - starts) / frames
    numbers = np.clip(np.floor(positions), 0, n_frames - 1).astype(np.int64)
    numbers = numbers.reshape(segments, windows, frames)
    return ClipPlan(frames=numbers, pairs=np.minimum(numbers, n_frames - 2))
