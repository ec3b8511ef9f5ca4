"""Two domains of made-up clip features: known classes, a known shift, no video."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.features import Features

CLIPS, DIM = 5, 64

torch.set_num_threads(1)  # on tensors this small, threads only wait for each other


@dataclass(frozen=True)
class Domain:
    features: Features
    labels: Tensor


def two_domains(
    seed: int, videos: tuple[int, int] = (300, 240), classes: int = 6, shift: float = 1.0
) -> tuple[Domain, Domain]:
    """Source and target: Gaussian class prototypes per modality and clip, noise, affine shift.

    RGB is shifted twice as far as flow. Same seed, same prototypes and shift, whatever `videos`.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    prototypes = 0.35 * normal(2, classes, CLIPS, DIM)  # rgb, flow
    amount = shift * torch.tensor([1.0, 0.5])[:, None, None]
    scale, offset = (0.3 * amount * normal(2, 1, DIM)).exp(), 0.8 * amount * normal(2, 1, DIM)
    domains = []
    for count in videos:
        labels = torch.arange(count) % classes
        rgb, flow = (prototypes[:, labels] + normal(2, count, CLIPS, DIM)).unbind()
        domains.append((rgb, flow, labels))
    (rgb, flow, labels), (target_rgb, target_flow, target_labels) = domains
    target = (target_rgb * scale[0] + offset[0], target_flow * scale[1] + offset[1])
    return (
        Domain(Features(_keys(len(labels)), rgb, flow), labels),
        Domain(Features(_keys(len(target_labels)), *target), target_labels),
    )


def _keys(count: int) -> tuple[str, ...]:
    return tuple(f"{number:05d}.mp4" for number in range(count))
