"""What a network says of videos as they are: several windows of each, no augmentation."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pipeline import metrics
from pipeline.features import Features
from pipeline.finetune.augmentation import plain
from pipeline.finetune.domain_norm import absorb, own_statistics
from pipeline.finetune.frames import Clips, Request, loaded
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Videos
from pipeline.finetune.windows import middles
from pipeline.joint.late_fusion import LateOutput
from pipeline.joint.method import Domain

AT_ONCE = 8  # clips


@torch.no_grad()
def features(
    network: TwoStream, videos: Videos, domain: Domain, *, windows: int, workers: int
) -> Features:
    """Features (n, K, d) of K evenly spaced windows of each video, normalised as the domain's."""
    shares = middles(windows)
    few = max(1, AT_ONCE // windows)
    parts = [
        [Request(key, shares, None) for key in videos.keys[start : start + few]]
        for start in range(0, len(videos.keys), few)
    ]
    found = [
        [values.view(-1, windows, network.dim) for values in _of(network, clips, domain, own=False)]
        for clips in _read(network, videos, parts, workers)
    ]
    rgb, flow = (torch.cat(streams) for streams in zip(*found, strict=True))
    return Features(tuple(videos.keys), rgb, flow)


@torch.no_grad()
def said(network: TwoStream, seen: Features) -> LateOutput:
    """What the network says of n videos; logits are the mean over their windows."""
    return network(seen.rgb, seen.flow)


def accuracy(
    network: TwoStream,
    videos: Videos,
    numbers: Tensor,
    domain: Domain,
    *,
    windows: int,
    workers: int,
) -> float:
    """Share of the videos whose class the network predicts right."""
    seen = features(network, videos, domain, windows=windows, workers=workers)
    return metrics.accuracy(said(network, seen).logits.argmax(dim=1).cpu(), numbers)


@torch.no_grad()
def learn_statistics(network: TwoStream, videos: Videos, batch: int, workers: int) -> None:
    """AdaBN: the target's statistics become those of one pass over these videos, its mean batch."""
    network.passing.seen.clear()
    requests = [Request(key, (0.5,), (0.5,)) for key in videos.keys]
    count = math.ceil(len(requests) / batch)
    parts = [requests[number::count] for number in range(count)]  # of about one size
    for number, clips in enumerate(_read(network, videos, parts, workers), start=1):
        _of(network, clips, "target", own=True)
        absorb(own_statistics(network.passing), 1 / number)


def _read(
    network: TwoStream, videos: Videos, parts: Sequence[Sequence[Request]], workers: int
) -> Iterator[Clips]:
    device = network.rgb_classifier.weight.device
    return loaded([(videos.cache, part) for part in parts], workers=workers, device=device)


def _of(network: TwoStream, clips: Clips, domain: Domain, *, own: bool) -> tuple[Tensor, Tensor]:
    rgb, flow = (plain(codes.flatten(0, 1)) for codes in clips)
    return network.features(rgb, flow, domain, own=own)
