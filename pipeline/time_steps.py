"""Features along a video, of whatever number, as those of its T equal segments."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def averaged(steps: NDArray[np.float32], segments: int) -> NDArray[np.float32]:
    """Steps (t, d) in their order -> (T, d): the mean over each of T parts, as equal as can be.

    With t = T every step stays as it is, to the bit; with fewer, some stand in two parts.
    """
    bounds = [segment * len(steps) // segments for segment in range(segments + 1)]
    parts = [steps[a : max(a + 1, b)] for a, b in pairwise(bounds)]
    means = [part.mean(axis=0, dtype=np.float64) for part in parts]
    return np.stack(means).astype(np.float32)
