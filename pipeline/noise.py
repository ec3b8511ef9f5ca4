"""Random numbers of a run: of its initial weights, and of a training step.

Several runs train at once as one batched model (`torch.vmap`). PyTorch would draw for all of them
from one stream, so that a run's dropout depended on its neighbours. Here every draw is made by a
generator of its own, seeded with the run's seed and the number of the draw.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_STRIDE = 0x9E3779B97F4A7C15  # odd and irregular: draw k of a seed meets no draw of its neighbours


@contextmanager
def initial_weights(seed: int) -> Iterator[None]:
    """Modules built inside get the weights of `seed`; the global random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class Noise:
    """What is random in one step of one run, dropout included.

    Args:
        seed: (), int64, on the CPU; under `vmap`, one a run.
        device: where the numbers are wanted.
    """

    def __init__(self, seed: Tensor, device: torch.device):
        self._seed = seed
        self._device = device
        self._draws = 0

    def uniform(self, *shape: int) -> Tensor:
        """Float32 numbers in [0, 1)."""
        self._draws += 1
        return _Uniform.apply(self._seed, self._draws, shape, self._device)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, by Box and Muller's transform of two uniform ones each."""
        radius, angle = self.uniform(2, *shape).unbind()
        return (-2 * (1 - radius).log()).sqrt() * (2 * math.pi * angle).cos()

    def drop(self, values: Tensor, share: float) -> Tensor:
        """Dropout: a `share` of the values becomes 0, the others grow so that the mean stays."""
        if share == 0:
            return values
        return values * ((self.uniform(*values.shape) >= share) / (1 - share))


class _Uniform(torch.autograd.Function):
    """A draw that `vmap` makes run by run."""

    @staticmethod
    def forward(seed: Tensor, draw: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
        return _drawn(int(seed), draw, shape, device)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, ...]:
        return None, None, None, None

    @staticmethod
    def vmap(
        info: Any,
        in_dims: Any,
        seed: Tensor,
        draw: int,
        shape: tuple[int, ...],
        device: torch.device,
    ) -> tuple[Tensor, int]:
        runs = [_drawn(one, draw, shape, device) for one in seed.tolist()]
        return torch.stack(runs), 0


def _drawn(seed: int, draw: int, shape: tuple[int, ...], device: torch.device) -> Tensor:
    generator = torch.Generator(device).manual_seed((seed + draw * _STRIDE) % 2**63)
    return torch.rand(shape, generator=generator, device=device)
