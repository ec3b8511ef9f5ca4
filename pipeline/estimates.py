"""How long each stage will take here, and how much disk: measured on a few videos, then scaled.

A video's costs grow with the frames to be decoded and their size, with the frames and pairs that
its clips need, and with its clips. Training grows with videos, epochs and seeds.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from statistics import fmean
from typing import Any, TypeVar

import torch

from pipeline import backbones, checkpoints, clips, engine, lossless, params, training
from pipeline.errors import UserError, VideoError
from pipeline.feature_extraction import Extract
from pipeline.features import Features
from pipeline.index import Video
from pipeline.methods import METHODS, Weights
from pipeline.per_video import Job
from pipeline.survey import Header
from pipeline.video_clips import Streamed

T = TypeVar("T")
FEW = 128  # videos on which training is tried: twice as many change an estimate by a fifth at most
STARTS = 2  # of Python in a stage: its own, and its workers' at once


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes of one thread, each a unit of work."""

    decoding: float  # s a million pixels of a video
    coding: float  # s a frame, the same for reading and writing
    frame: float  # bytes
    flow: float  # s a pair
    pair: float  # bytes
    clip: float  # s, in both streams


@dataclass(frozen=True)
class Stage:
    """What a stage will take: wall seconds, bytes on disk."""

    seconds: float
    disk: float = 0.0


def measured(few: Sequence[Header], work: Extract, source: Streamed) -> Costs:
    """Takes a few videos through decode, flow and features, after one that warms up.

    Those that cannot be used are passed over. Raises UserError if there is no other.
    """
    costs = list[Costs]()
    with suppress(VideoError):
        work(_job(few[0]))
    for header in few:
        with suppress(VideoError):
            costs.append(_measured(header, work, source))
    if not costs:
        raise UserError(
            f"no estimates: none of the videos that were tried, {len(few)} of the domain, can be "
            "used; --measure N tries more"
        )
    return Costs(*(fmean(values) for values in zip(*map(astuple, costs), strict=True)))


def _measured(header: Header, work: Extract, source: Streamed) -> Costs:
    job = _job(header)
    decoded, sampled = _timed(source.decoder, job.video)
    frames, count = sampled.frames, len(sampled.frames)
    plan = clips.plan(sampled.summary.frames, **source.decoder.clips.model_dump())
    pairs = plan.distinct_pairs
    flowed, codes = _timed(source.flow, frames, sampled.numbers, pairs)
    all_of_it, _ = _timed(work, job)
    coded, content = _timed(lossless.encode, frames, fps=25, note={})
    return Costs(
        decoding=decoded / (sampled.summary.frames * header.width * header.height / 1e6),
        coding=coded / count,
        frame=len(content) / count,
        flow=flowed / len(pairs),
        pair=len(lossless.encode(codes, fps=25, note={})) / len(pairs),
        clip=max(0.0, all_of_it - decoded - flowed) / plan.frames[..., 0].size,
    )


def _job(header: Header) -> Job:
    one = header.listed
    return Job(Video(one.key, one.path, one.start, one.stop, "test", sha256=""), "")


def _timed(work: Callable[..., T], *given: Any, **named: Any) -> tuple[float, T]:
    start = time.perf_counter()
    result = work(*given, **named)
    return time.perf_counter() - start, result


def start_up() -> float:
    """Seconds until a stage's Python has imported what it needs."""
    command = [sys.executable, "-c", "import pipeline.stages.features"]
    return _timed(subprocess.run, command, check=False, capture_output=True)[0]


def per_video(
    headers: Sequence[Header], costs: Costs, p: params.Params, start: float
) -> dict[str, Stage]:
    """Stages decode, flow and features of one domain, by as many processes as params.yaml says."""
    workers = min(p.engine.workers or engine.cores(), max(1, len(headers)))
    plans = [clips.plan(max(2, header.frames), **p.clips.model_dump()) for header in headers]
    frames, pairs = (
        float(sum(len(part) for part in parts))
        for parts in ([plan.needed for plan in plans], [plan.distinct_pairs for plan in plans])
    )
    pixels = sum(h.frames * h.width * h.height for h in headers) / 1e6
    count = p.clips.segments * p.clips.windows * len(headers)
    values = 2 * _dim(p)
    # the workspace's copy and the staging store's; a third in DVC's cache is a link, where links go
    kept = 2.0
    decode = costs.decoding * pixels
    flow, features = costs.flow * pairs, costs.clip * count
    if p.features.stream:
        streamed = decode + flow + features
        seconds = {"decode": 0.0, "flow": 0.0, "features": streamed}
        disk = {"decode": 0.0, "flow": 0.0}
    else:
        reading = costs.coding * frames
        seconds = {
            "decode": decode + reading,
            "flow": flow + reading + costs.coding * pairs,
            "features": features + reading + costs.coding * pairs,
        }
        disk = {"decode": costs.frame * frames * kept, "flow": costs.pair * pairs * kept}
    disk["features"] = 4.0 * values * count * kept
    return {name: Stage(seconds[name] / workers + start, disk[name]) for name in seconds}


def _dim(p: params.Params) -> int:
    """The width of the features that are to be extracted."""
    name = p.features.backbone
    assert name != "imported"
    return backbones.dim(name)


def of_training(train: Mapping[str, int], classes: int, p: params.Params) -> dict[str, Stage]:
    """Stages pretrain and adapt; train: how many training videos the source and the target have."""
    dim = _dim(p)
    generator = torch.Generator().manual_seed(0)
    count = min(FEW, max(train.values()))
    shape = (2, count, p.clips.segments, dim)
    features = Features(
        tuple(map(str, range(count))), *torch.randn(shape, generator=generator).unbind()
    )
    labels = torch.arange(count) % classes
    names = tuple(map(str, range(classes)))
    card = checkpoints.Card(names, dim, **p.network.model_dump(), features={})
    models = {seed: card.new_network(seed) for seed in p.seeds}
    learnt = p.pretrain.model_dump()

    def pretrain(epochs: int) -> dict[int, training.Trained]:
        settings = training.Settings(**{**learnt, "epochs": epochs})
        return training.pretrain(models, features, labels, settings)

    weights = Weights(**{name: getattr(p.adapt, name) for name in Weights.__dataclass_fields__})
    trained = {seed: run.model for seed, run in pretrain(1).items()}

    def adapt(epochs: int) -> dict[int, training.Trained]:
        settings = training.Settings(epochs, p.adapt.lr, p.adapt.batch_size)
        return training.adapt(trained, features, METHODS[p.adapt.method](weights), settings)

    return {
        "pretrain": Stage(_epoch(pretrain) * p.pretrain.epochs * train["source"] / count),
        "adapt": Stage(_epoch(adapt) * p.adapt.epochs * train["target"] / count),
    }


def _epoch(run: Callable[[int], Any]) -> float:
    """Seconds of an epoch, without what a run, and the first run of all, cost once."""
    run(1)
    once, more = (_timed(run, epochs)[0] for epochs in (1, 4))
    return max(0.0, more - once) / 3


def total(stages: Sequence[Stage]) -> Stage:
    """All of them together."""
    return Stage(sum(one.seconds for one in stages), sum(one.disk for one in stages))


def evenly(headers: Sequence[Header], count: int) -> list[Header]:
    """Videos spread over the list."""
    step = max(1, len(headers) // count)
    return list(headers[step // 2 :: step][:count])
