"""Strong augmentation of videos that are stored as clip features: fewer clips, and noise.

Letters: n videos, T clips, d features.
"""

from torch import Tensor

from pipeline.noise import Noise


def fewer_clips(rgb: Tensor, flow: Tensor, share: float, noise: Noise) -> tuple[Tensor, Tensor]:
    """Drops random clips of each video, the same of both modalities; at least one stays.

    Args: rgb and flow (n, T, d); share of the clips that is dropped, in [0, 1].
    Returns: both, (n, k, d), k = T - T * share to the nearest integer, or 1.
    """
    videos, clips, _ = rgb.shape
    kept = max(1, round(clips * (1 - share)))
    chosen = noise.uniform(videos, clips).argsort(dim=1)[:, :kept, None]  # (n, k, 1)
    return rgb.take_along_dim(chosen, dim=1), flow.take_along_dim(chosen, dim=1)


def noisy(clips: Tensor, amount: float, noise: Noise) -> Tensor:
    """Adds Gaussian noise of `amount` times each feature's standard deviation in the batch.

    Args: clips (n, T, d); amount at least 0.
    Returns: same shape.
    """
    spread = clips.std(dim=(0, 1), correction=0)  # (d,)
    return clips + amount * spread * noise.normal(*clips.shape)
