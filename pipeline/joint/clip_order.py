"""Clips of a video in a random order, and which order that is.

Clip-order prediction (Xu et al., CVPR 2019) as SAVA has it: Choi et al., "Shuffle and Attend: Video
Domain Adaptation", ECCV 2020.
"""

import itertools
import math

import torch
from torch import Tensor

from pipeline.noise import Noise

SHUFFLED = 3  # clips of a video, or all if it has fewer


def orders(clips: int) -> int:
    """In how many orders the shuffled clips of a video of so many clips may stand."""
    return math.factorial(min(SHUFFLED, clips))


def shuffled(clips: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
    """Of each video w = min(3, T) random clips, in one of their w! orders, all equally likely.

    Args: clips (n, T, d), in order of time.
    Returns: clips (n, w, d), and the number of their order (n,), in [0, w!).
    """
    n, t, d = clips.shape
    size = min(SHUFFLED, t)
    every = torch.tensor(list(itertools.permutations(range(size))), device=clips.device)
    chosen = noise.uniform(n, t).argsort(dim=1)[:, :size].sort(dim=1).values  # (n, w), in time
    number = noise.uniform(n, len(every)).argmax(dim=1)  # (n,)
    places = chosen.gather(1, every[number])
    return clips.gather(1, places[:, :, None].expand(-1, -1, d)), number
