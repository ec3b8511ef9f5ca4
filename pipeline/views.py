"""Random views of a video, made from its stored clip features: the video stays what it is.

Letters: n videos, T clips, d features.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.noise import Noise


def without_clip(clips: Tensor, positions: Tensor) -> Tensor:
    """Leaves out one clip of each video; the clip after it, or before the last, stands in for it.

    Args: clips (n, T, d); positions (n,), integers in [0, T), of the clips to leave out.
    Returns: (n, T, d); of a single clip a video, the same.
    """
    count = clips.shape[1]
    after = torch.where(positions + 1 < count, positions + 1, positions - 1).clamp_min(0)
    order = torch.arange(count, device=clips.device)
    order = torch.where(order == positions[:, None], after[:, None], order)  # (n, T)
    return clips.take_along_dim(order[:, :, None], dim=1)


def jittered(
    rgb: Tensor, flow: Tensor, spreads: Mapping[str, Tensor], noise: Noise
) -> tuple[Tensor, Tensor]:
    """Leaves out one clip of each video at random, of both modalities alike, and adds noise.

    Args:
        rgb: (n, T, d), and `flow` likewise.
        flow: see `rgb`.
        spreads: standard deviation of the noise of each feature, (d,), of "rgb" and of "flow".
        noise: where random numbers come from.
    """
    positions = (noise.uniform(len(rgb)) * rgb.shape[1]).long()
    rgb, flow = without_clip(rgb, positions), without_clip(flow, positions)
    return (
        rgb + spreads["rgb"] * noise.normal(*rgb.shape),
        flow + spreads["flow"] * noise.normal(*flow.shape),
    )
