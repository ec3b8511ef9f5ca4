"""Windows of neighbouring frames, drawn anywhere in a video. Pure index arithmetic.

Kim et al. (ICCV 2021, section 4.1) see 16 consecutive frames a video and stream, and draw the two
streams' windows independently in time.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

Numbers = NDArray[np.int64]


def starts(numbers: Sequence[int], length: int) -> Numbers:
    """Rows at which windows of `length` neighbours may begin among ascending frame numbers.

    Empty if no such stretch is there.
    """
    known = np.asarray(numbers)
    whole = known[length - 1 :] - known[: max(0, len(known) - length + 1)] == length - 1
    return np.flatnonzero(whole)


def drawn(numbers: Sequence[int], length: int, share: float) -> Numbers:
    """The rows (length,) of the window that lies at `share`, in [0, 1), of all that there are.

    A video that has fewer frames in all repeats them in order.

    Raises UserError for frames that are as many and nowhere neighbours.
    """
    first = starts(numbers, length)
    if len(first):
        return first[int(share * len(first))] + np.arange(length)
    if numbers[-1] - numbers[0] + 1 >= length:
        raise UserError(
            f"no {length} consecutive frames among those that are kept ({list(numbers[:9])} ...); "
            "set clips.sampling: all and run `dvc repro`"
        )
    return np.arange(1, 2 * length, 2) * len(numbers) // (2 * length)


def middles(count: int) -> tuple[float, ...]:
    """The shares at the middles of `count` equal parts."""
    return tuple((2 * k + 1) / (2 * count) for k in range(count))
