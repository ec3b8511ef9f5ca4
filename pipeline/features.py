"""The clip features of a set of videos, as training and prediction see them: no labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.errors import UserError


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """RGB and flow features of n videos, T clips each; it has no place for a label.

    Args:
        keys: the videos' names, n of them, in the order of the rows.
        rgb: (n, T, d), floating point, finite.
        flow: (n, T, d), same shape, type and device as `rgb`.

    Raises:
        UserError: no video, shapes or types that do not fit each other, values that are not finite.
    """

    keys: tuple[str, ...]
    rgb: Tensor
    flow: Tensor

    def __post_init__(self) -> None:
        rgb, flow = tuple(self.rgb.shape), tuple(self.flow.shape)
        if len(rgb) != 3 or rgb != flow or 0 in rgb:
            raise UserError(
                f"features: rgb and flow must both be (videos, clips, width), none of them 0; "
                f"found rgb {rgb}, flow {flow}"
            )
        if len(self.keys) != rgb[0]:
            raise UserError(f"features: {len(self.keys)} keys for {rgb[0]} videos; one key a video")
        if not self.rgb.is_floating_point() or self.rgb.dtype != self.flow.dtype:
            raise UserError(
                "features: rgb and flow must have one floating point type; "
                f"found {self.rgb.dtype} and {self.flow.dtype}"
            )
        self._require_finite()

    def _require_finite(self) -> None:
        for name, values in (("rgb", self.rgb), ("flow", self.flow)):
            finite = values.isfinite().flatten(1).all(dim=1)
            if not finite.all():
                bad = [key for key, ok in zip(self.keys, finite.tolist(), strict=True) if not ok]
                raise UserError(
                    f"features: {name} of {len(bad)} of {len(self)} videos is not finite, "
                    f"the first is {bad[0]!r}; extract these features again"
                )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def clips(self) -> int:
        """T, clips per video."""
        return self.rgb.shape[1]

    @property
    def dim(self) -> int:
        """d, the width of a clip's feature, per modality."""
        return self.rgb.shape[2]

    def select(self, index: Tensor | Sequence[int]) -> "Features":
        """The videos at the integer positions `index`, in that order."""
        rows = torch.as_tensor(index, dtype=torch.long).cpu()
        keys = tuple(self.keys[row] for row in rows.tolist())
        on_device = rows.to(self.rgb.device)
        return Features(keys, self.rgb[on_device], self.flow[on_device])

    def of_clips(self, clips: slice) -> "Features":
        """The same videos by some of their clips, in memory of their own: linear layers need it."""
        rgb, flow = (values[:, clips].contiguous() for values in (self.rgb, self.flow))
        return Features(self.keys, rgb, flow)

    def to(self, device: torch.device | str) -> "Features":
        """The same features on `device`."""
        return Features(self.keys, self.rgb.to(device), self.flow.to(device))
