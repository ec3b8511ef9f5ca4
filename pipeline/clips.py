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
    def distinct_pairs(self) -> list[int]:
        """The first frame number of each different pair, ascending."""
        return np.unique(self.pairs).tolist()

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
    shape = (segments, windows, frames)
    parts = segments * windows
    # whole numbers only: a rounded fraction could pick the frame before
    if sampling == "spread":
        numbers = _middles(n_frames, parts * frames).reshape(shape)
    elif n_frames < frames:
        numbers = np.broadcast_to(_middles(n_frames, frames), shape)
    else:
        first = (np.arange(1, 2 * parts, 2) * n_frames + (1 - frames) * parts) // (2 * parts)
        numbers = (np.clip(first, 0, n_frames - frames)[:, None] + np.arange(frames)).reshape(shape)
    return ClipPlan(frames=numbers, pairs=np.minimum(numbers, n_frames - 2))


def _middles(n_frames: int, count: int) -> Indices:
    """The frames shown in the middle of `count` equal parts of a video."""
    return np.arange(1, 2 * count, 2) * n_frames // (2 * count)
