"""The features of a domain of which a step knows its batch's alone.

Methods find a video's features by its position in the domain; here, the backbone has just made
those of the batch's videos, with their gradient, and all others are not a number: a method that
looked at them would be found out by its loss.
"""

from collections.abc import Sequence

from torch import Tensor

from pipeline.features import Features


class Known(Features):
    """Features (n, 1, d); see above."""

    def _require_finite(self) -> None:
        """Not asked of what is not known."""


def known(keys: Sequence[str], videos: Tensor, rgb: Tensor, flow: Tensor) -> Known:
    """Features of a domain's n videos from those of a batch.

    Args: keys of all n; videos (b,), positions without repetition; rgb and flow (b, d).
    """
    whole = (
        values.new_full((len(keys), 1, values.shape[1]), float("nan")).index_copy(
            0, videos.to(values.device), values[:, None]
        )
        for values in (rgb, flow)
    )
    return Known(tuple(keys), *whole)
