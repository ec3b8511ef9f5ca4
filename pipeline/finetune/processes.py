"""The processes of one training run, a GPU each, as `torchrun` starts them; without it, this one.

Every process runs its part of a batch through the backbones. Features are gathered, and every
process computes the losses of the whole batch, so that a loss over pairs, banks or a batch's mean
is what one process would make of it. The backward pass of the gathering adds up what the processes
ask of a feature, and `DistributedDataParallel` then takes the mean: the whole batch's gradient.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from pipeline.errors import UserError

Key = TypeVar("Key")


@contextmanager
def joined() -> Iterator[torch.device]:
    """Joins the processes that `torchrun` started, if it did; the device that is this one's."""
    gpu = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if "RANK" not in os.environ:
        yield device
        return
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def count() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which one this is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def own(positions: Tensor) -> Tensor:
    """The part of this process of a batch (n,): n / count of them."""
    return positions.view(count(), -1)[rank()]


def divisible(positions: Tensor) -> Tensor:
    """The batch without its last videos that do not divide by the number of processes.

    Raises UserError: it has fewer videos than there are processes.
    """
    if len(positions) < count():
        raise UserError(
            f"a batch holds {len(positions)} videos of a domain, fewer than the {count()} "
            "processes; raise finetune.batch_size, or start fewer"
        )
    return positions[: len(positions) - len(positions) % count()]


def gathered(features: Tensor) -> Tensor:
    """The features (n, d) of each process one after another, with their gradient."""
    return _Gathered.apply(features) if count() > 1 and len(features) else features


def averaged(values: dict[Key, Tensor]) -> dict[Key, Tensor]:
    """Tensors by name, the mean over the processes; all have them in the same order."""
    if count() == 1 or not values:
        return values
    flat = torch.cat([value.flatten() for value in values.values()])
    dist.all_reduce(flat)
    parts = (flat / count()).split([value.numel() for value in values.values()])
    return {
        key: part.view_as(value) for (key, value), part in zip(values.items(), parts, strict=True)
    }


class _Gathered(torch.autograd.Function):
    """PyTorch's own, with a gradient, has another name in each version."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        parts = [torch.empty_like(features) for _ in range(count())]
        dist.all_gather(parts, features.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.view(count(), -1, total.shape[-1])[rank()]
