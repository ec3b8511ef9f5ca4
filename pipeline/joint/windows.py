"""Windows of its own for each modality: which clips of a video RGB sees, and which flow sees.

Kim et al. (ICCV 2021, Table 5) draw the RGB and the flow window of a video independently in time,
which is worth about half of what their method gains over MM-SADA. Of stored features with several
windows a segment, a step sees one of each segment; with one, a random subset of the clips. A
prediction sees the mean of a segment's windows.

Letters: n videos, T segments, W windows a segment, d features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pipeline.features import Features
from pipeline.noise import Noise

WINDOWS = 3  # clips that a step sees of a video, in each modality; all of them if it has no more
Windows = Literal["independent", "same", "whole"]
"""Others in RGB than in flow; the same in both; or all segments, in order, for what reads time."""


@dataclass(frozen=True, eq=False, slots=True)
class WindowedFeatures(Features):
    """Features that keep the windows of a segment; `rgb` and `flow` are the windows' means.

    Args: as of `Features`; rgb_windows and flow_windows (n, T, W, d), of its type and device.
    """

    rgb_windows: Tensor
    flow_windows: Tensor

    def select(self, index: Tensor | Sequence[int]) -> "WindowedFeatures":
        """The videos at the integer positions `index`, in that order."""
        few = Features.select(self, index)
        rows = torch.as_tensor(index, dtype=torch.long).to(self.rgb.device)
        windows = self.rgb_windows[rows], self.flow_windows[rows]
        return WindowedFeatures(few.keys, few.rgb, few.flow, *windows)

    def to(self, device: torch.device | str) -> "WindowedFeatures":
        """The same features on `device`."""
        parts = (self.rgb, self.flow, self.rgb_windows, self.flow_windows)
        return WindowedFeatures(self.keys, *(part.to(device) for part in parts))


def of_windows(keys: Sequence[str], rgb: Tensor, flow: Tensor) -> Features:
    """Features of stored windows, each (n, T, W, d); plain ones where W is 1."""
    means = rgb.mean(dim=2), flow.mean(dim=2)
    if rgb.shape[2] == 1:
        return Features(tuple(keys), *means)
    return WindowedFeatures(tuple(keys), *means, rgb, flow)


def seen(
    features: Features, videos: Tensor, windows: Windows, noise: Noise
) -> tuple[Tensor, Tensor]:
    """What a step sees of some videos (n,): clips of RGB and of flow, each (n, w, d), w <= T."""
    if isinstance(features, WindowedFeatures):
        rgb, flow = features.rgb_windows[videos], features.flow_windows[videos]
        order = noise.uniform(*rgb.shape[:3])
        of_flow = order if windows == "same" else noise.uniform(*rgb.shape[:3])
        return one_of_each_segment(rgb, order), one_of_each_segment(flow, of_flow)
    rgb, flow = features.rgb[videos], features.flow[videos]
    if windows == "whole":
        return rgb, flow
    if windows == "same":
        return drawn_alike(rgb, flow, noise)
    return drawn(rgb, noise), drawn(flow, noise)


def one_of_each_segment(windows: Tensor, order: Tensor) -> Tensor:
    """Of windows (n, T, W, d) the one of the lowest number in `order` (n, T, W): (n, T, d)."""
    chosen = order.argmin(dim=2)[:, :, None, None]  # (n, T, 1, 1)
    return windows.gather(2, chosen.expand(-1, -1, -1, windows.shape[3])).squeeze(2)


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
