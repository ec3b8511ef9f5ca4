"""Random views of a video, made from its stored clip features: the video stays what it is.

Letters: n videos, T clips, d features.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.noise import Noise


def fewer_clips(rgb: Tensor, flow: Tensor, share: float, noise: Noise) -> tuple[Tensor, Tensor]:
    """Drops random clips of each video, the same of both modalities; at least one stays.

    Args: rgb and flow (n, T, d); share of the clips that is dropped, in [0, 1].
    Returns: both, (n, k, d), k = T - T * share to the nearest integer, or 1; in any order.
    """
    videos, clips, _ = rgb.shape
    kept = max(1, round(clips * (1 - share)))
    chosen = noise.uniform(videos, clips).argsort(dim=1)[:, :kept, None]  # (n, k, 1)
    return rgb.take_along_dim(chosen, dim=1), flow.take_along_dim(chosen, dim=1)


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


def deviations(clips: Tensor) -> Tensor:
    """Standard deviation of each feature over all clips: (n, T, d) -> (d,), at least 0."""
    return clips.std(dim=(0, 1), correction=0)


def noisy(clips: Tensor, spread: Tensor, noise: Noise) -> Tensor:
    """Adds Gaussian noise.

    Args: clips (n, T, d); spread (d,), standard deviation of the noise of each feature, at least 0.
    Returns: same shape.
    """
    return clips + spread * noise.normal(*clips.shape)


def jittered(
    rgb: Tensor, flow: Tensor, spreads: Mapping[str, Tensor], noise: Noise
) -> tuple[Tensor, Tensor]:
    """Leaves out one clip of each video at random, of both modalities alike, and adds noise.

    Args: rgb and flow (n, T, d); spreads of the noise, (d,), of "rgb" and of "flow".
    Returns: both, same shape.
    """
    positions = (noise.uniform(len(rgb)) * rgb.shape[1]).long()
    return (
        noisy(without_clip(rgb, positions), spreads["rgb"], noise),
        noisy(without_clip(flow, positions), spreads["flow"], noise),
    )
