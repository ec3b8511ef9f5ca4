"""Random views of clips: a part of the picture, enlarged; mirrored. Pure functions on tensors.

A video's RGB and flow get the same view. Where a part is enlarged, motion grows with it; where the
picture is mirrored, motion to the right becomes motion to the left. The published code of MM-SADA
(Munro and Damen, CVPR 2020) cuts 224 x 224 out of frames of 256 px and mirrors; here a random share
of the side is cut out of the stored square.

Letters: n clips, F frames, c channels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Views(NamedTuple):
    """How n clips are seen; every field is (n,) float32."""

    share: Tensor
    """Of the side that is seen, in (0, 1]."""
    across: Tensor
    """Where that part lies, from the left edge (0) to the right (1)."""
    down: Tensor
    """The same from top to bottom."""
    mirrored: Tensor
    """1 where left and right change places, else 0."""


def drawn(uniform: Tensor, smallest: float) -> Views:
    """Views from uniform numbers (4, n) in [0, 1); shares lie in [smallest, 1]."""
    share, across, down, coin = uniform.unbind()
    return Views(1 - (1 - smallest) * share, across, down, (coin < 0.5).float())


def plain(codes: Tensor) -> Tensor:
    """8-bit codes (n, F, h, w, c) -> clips (n, c, F, h, w) in [-1, 1], channels last in memory."""
    return codes.float().div_(255).mul_(2).sub_(1).movedim(-1, 1)


def seen(codes: Tensor, views: Views, *, motion: bool) -> Tensor:
    """The same clips as the views show them, as large as before.

    Args: codes (n, F, h, w, c); views, on any device; motion, whether the codes are flow (x, y).
    """
    n, frames, height, width, channels = codes.shape
    share, across, down, mirrored = (part.to(codes.device) for part in views)
    turn = 1 - 2 * mirrored  # -1 where mirrored
    zero = torch.zeros_like(share)
    across, down = ((1 - share) * (2 * where - 1) for where in (across, down))
    to_input = torch.stack([share * turn, zero, across, zero, share, down], dim=1).view(n, 2, 3)
    grid = F.affine_grid(to_input, [n, 1, height, width], align_corners=False)
    pictures = codes.permute(0, 1, 4, 2, 3).reshape(n, frames * channels, height, width)
    values = pictures.float().div_(255).mul_(2).sub_(1)
    values = F.grid_sample(values, grid, padding_mode="border", align_corners=False)
    clips = values.view(n, frames, channels, height, width).permute(0, 2, 1, 3, 4)
    if motion:
        signs = torch.stack([turn, torch.ones_like(turn)], dim=1)  # (n, 2)
        clips = (clips * (signs / share[:, None])[:, :, None, None, None]).clamp(-1, 1)
    return clips.contiguous(memory_format=torch.channels_last_3d)
