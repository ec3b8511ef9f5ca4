"""Optical flow of a video's sampled frames, in 8 bits, and what shapes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline import flow
from pipeline.fingerprint import fingerprint
from pipeline.video import Frames

VERSION = 1  # raise it when the flow of unchanged frames changes


@dataclass(frozen=True)
class FlowExtractor:
    """Computes TV-L1 flow from frames to their next ones, in codes for +-`bound` px."""

    implementation: flow.Implementation
    bound: float

    def __call__(self, frames: Frames, numbers: Sequence[int], pairs: Sequence[int]) -> Frames:
        """Frames (n, h, w, 3) of these numbers -> codes (len(pairs), 2h, w), x above y.

        A pair is named by the number of its first frame; its second is the next number.
        """
        return np.stack([self._code(*pair) for pair in grey_pairs(frames, numbers, pairs)])

    def _code(self, first: Frames, second: Frames) -> Frames:
        """The flow of a pair of grey frames (h, w) as 8-bit code (2h, w), x above y."""
        field = flow.tvl1(first, second, implementation=self.implementation)
        return np.concatenate(list(flow.to_code(field, self.bound)))

    def provenance(self) -> dict[str, Any]:
        """What shapes the flow, beside the frames."""
        return {
            "version": VERSION,
            "algorithm": flow.provenance(self.implementation),
            "bound": self.bound,
        }

    def fingerprint(self, frames: str) -> str:
        """What the flow of frames with this fingerprint is made from."""
        return fingerprint(frames=frames, **self.provenance())


def grey_pairs(frames: Frames, numbers: Sequence[int], pairs: Sequence[int]) -> Frames:
    """Frames (n, h, w, 3) of these numbers -> grey pairs (len(pairs), 2, h, w)."""
    row = {number: row for row, number in enumerate(numbers)}
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    return np.stack([[grey[row[pair]], grey[row[pair + 1]]] for pair in pairs])
