"""Batches of two domains: some videos of the source and some of the target, drawn apart."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class JointBatch(NamedTuple):
    """Positions of the videos of one step; no video twice."""

    source: Tensor
    """(b_s,), among the source's videos."""
    target: Tensor
    """(b_t,), among the target's videos."""


def joint_batches(
    sources: int, targets: int, batch_size: int, generator: torch.Generator
) -> Iterator[JointBatch]:
    """An epoch: once through the source in random order, beside it through the target.

    Half of a batch is of either domain (MM-SADA), or all of a domain that has fewer videos. A
    domain is cut into batches of one size; what remains, fewer videos than there are batches, is
    left out until the next shuffle. The target starts anew as often as it is needed.

    Args:
        sources: how many videos the source has, at least 1.
        targets: the same of the target.
        batch_size: videos a step, at most and at least 2.
        generator: on the CPU.
    """
    half = batch_size // 2
    others = _cycled(targets, half, generator)
    for source in _parts(sources, half, generator):
        yield JointBatch(source, next(others))


def _cycled(count: int, most: int, generator: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield from _parts(count, most, generator)


def _parts(count: int, most: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Shuffled positions 0 to count - 1 in parts of one size, `most` or fewer."""
    parts = math.ceil(count / most)
    size = count // parts
    yield from torch.randperm(count, generator=generator)[: parts * size].split(size)
