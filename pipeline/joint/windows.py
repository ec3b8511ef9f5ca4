"""Windows of its own for each modality: which clips of a video RGB sees, and which flow sees.

Kim et al. (ICCV 2021, Table 5) draw the RGB and the flow window of a video independently in time,
which is worth about half of what their method gains over MM-SADA. Of stored features, a window is a
random subset of the clips.
"""

from torch import Tensor

from pipeline.noise import Noise

WINDOWS = 3  # clips that a step sees of a video, in each modality; all of them if it has no more


def drawn(clips: Tensor, noise: Noise) -> Tensor:
    """A random subset of each video's clips: (n, T, d) -> (n, min(3, T), d)."""
    n, t, d = clips.shape
    return picked(clips, noise.uniform(n, t), d)


def drawn_alike(rgb: Tensor, flow: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
    """The same random subset in both modalities, each (n, T, d) -> (n, min(3, T), d)."""
    n, t, d = rgb.shape
    order = noise.uniform(n, t)
    return picked(rgb, order, d), picked(flow, order, d)


def picked(clips: Tensor, order: Tensor, dim: int) -> Tensor:
    """The clips of the lowest numbers in `order` (n, T)."""
    chosen = order.argsort(dim=1)[:, :WINDOWS]  # (n, w)
    return clips.gather(1, chosen[:, :, None].expand(-1, -1, dim))
