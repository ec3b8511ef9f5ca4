"""The sampling plan: which frames of a video make its clips. Pure index arithmetic."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["spread", "consecutive", "all"]
Indices = NDArray[np.int64]
LONGEST = 2048  # frames of a video that "all" keeps, about


@dataclass(frozen=True)
class ClipPlan:
    """Frame numbers of a video's clips.

    frames  (T, W, F) shown to the RGB network: T segments, W windows each, F frames a window
    pairs   (T, W, F) first frame of the pair whose flow stands beside each; its second is +1
    beside  first frames of further pairs, for training that draws its own clips
    """

    frames: Indices
    pairs: Indices
    beside: Indices

    @property
    def distinct_pairs(self) -> list[int]:
        """The first frame number of each different pair, ascending."""
        return np.union1d(self.pairs, self.beside).tolist()

    @property
    def needed(self) -> Indices:
        """All frame numbers to decode, ascending: sampled frames and both frames of each pair."""
        pairs = np.union1d(self.pairs, self.beside)
        return np.unique(np.concatenate([self.frames, pairs, pairs + 1], axis=None))


def plan(
    n_frames: int, *, segments: int, windows: int, frames: int, sampling: Sampling
) -> ClipPlan:
    """Cuts a video of `n_frames` into `segments` equal parts, each into `windows` equal parts.

    "spread" takes `frames` positions evenly from each part (MTRAN); "consecutive" takes a run of
    `frames` neighbours around the part's middle (cross-modal contrastive); "all" takes the same
    and keeps all other frames beside them, or of more than `LONGEST`, those around the segments'
    middles. A part or a video that is too short repeats frame numbers in order; none is left out.

    Flow pairs a frame with its next one; the last frame of a video, which has none, borrows the
    pair before it.

    Raises ValueError for fewer than 2 frames.
    """
    if n_frames < 2:
        raise ValueError(f"a clip plan needs at least 2 frames, got {n_frames}")
    parts = segments * windows
    # whole numbers only: a rounded fraction could pick the frame before
    if sampling == "spread":
        numbers = _middles(n_frames, parts * frames)
    else:
        numbers = _neighbours(n_frames, parts, frames)
    numbers = numbers.reshape(segments, windows, frames)
    kept = _kept(n_frames, segments) if sampling == "all" else np.empty(0, np.int64)
    return ClipPlan(frames=numbers, pairs=np.minimum(numbers, n_frames - 2), beside=kept)


def _neighbours(n_frames: int, parts: int, frames: int) -> Indices:
    """(parts, frames): a run of neighbours around the middle of each equal part of a video."""
    if n_frames < frames:
        return np.broadcast_to(_middles(n_frames, frames), (parts, frames))
    first = (np.arange(1, 2 * parts, 2) * n_frames + (1 - frames) * parts) // (2 * parts)
    return np.clip(first, 0, n_frames - frames)[:, None] + np.arange(frames)


def _kept(n_frames: int, segments: int) -> Indices:
    """First frames of pairs of neighbours: all, or LONGEST of them around the segments' middles."""
    if n_frames <= LONGEST:
        return np.arange(n_frames - 1)
    return np.unique(_neighbours(n_frames - 1, segments, max(1, LONGEST // segments)))


def _middles(n_frames: int, count: int) -> Indices:
    """The frames shown in the middle of `count` equal parts of a video."""
    return np.arange(1, 2 * count, 2) * n_frames // (2 * count)
