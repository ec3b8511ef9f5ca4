"""Cached frames and flow of made-up videos, and a two-stream network small enough for tests."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import lossless, shards
from pipeline.backbones.i3d import Unit3D
from pipeline.finetune.frames import Cache
from pipeline.finetune.network import TwoStream
from pipeline.finetune.run import Run, Settings, Videos
from pipeline.finetune.training import Both
from pipeline.joint import JOINT_METHODS, JointMethod, JointWeights
from pipeline.methods import METHODS, Weights
from pipeline.methods.unpaired import Unpaired
from pipeline.video import Frames

SIZE, LENGTH, CLASSES = 24, 8, 3


def frames_of(number: int, count: int) -> Frames:
    """Noise of a colour that follows from the class, number % CLASSES, and a frame's number."""
    noise = np.random.default_rng(number).integers(0, 60, (count, SIZE, SIZE, 3), np.uint8)
    noise[..., number % CLASSES] += 120
    noise[:, 0, 0, 0] = np.arange(count)
    return noise


def flow_of(number: int, count: int) -> Frames:
    """Codes (count, 2h, w), x above y."""
    codes = np.random.default_rng(~number % 2**32).integers(100, 156, (count, 2 * SIZE, SIZE))
    codes[:, 0, 0] = np.arange(count)
    return codes.astype(np.uint8)


def cache(folder: Path, videos: range, count: int = 20, numbers: list[int] | None = None) -> Videos:
    """Publishes videos of `count` frames each, or of the frames with these numbers alone."""
    kept = list(range(count)) if numbers is None else numbers
    pairs = [number for number in kept if number + 1 in kept]
    keys = [f"{number:03d}.mp4" for number in videos]
    contents = {
        "frames": [
            lossless.encode(frames_of(v, count)[kept], fps=25, note={"numbers": kept})
            for v in videos
        ],
        "flow": [
            lossless.encode(flow_of(v, count)[pairs], fps=25, note={"pairs": pairs}) for v in videos
        ],
    }
    for name, coded in contents.items():
        shards.publish(
            folder / name,
            dict(zip(keys, coded, strict=True)),
            fingerprints={key: f"{name} {key}" for key in keys},
            sizes={key: len(one) for key, one in zip(keys, coded, strict=True)},
            provenance={"decode": {"size": SIZE}} if name == "frames" else {"bound": 20},
        )
    return Videos(Cache(folder / "frames", folder / "flow", LENGTH), keys)


def both(folder: Path, count: int = 20) -> Both:
    """Six videos of a source with labels, four of a target."""
    source = cache(folder / "source", range(6), count)
    target = cache(folder / "target", range(20, 24), count)
    return Both(source, torch.arange(6) % CLASSES, target)


class Thin(nn.Module):
    """Two units of I3D, in place of all of them."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = Unit3D(channels, 8, kernel=3, stride=2)
        self.second = Unit3D(8, 16, kernel=3, stride=2)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (n, channels, F, h, w) -> features (n, 16)."""
        return self.second(self.first(clips)).mean(dim=(2, 3, 4))


def network(seed: int = 0, micro_batch: int | None = None) -> TwoStream:
    """Two thin backbones with statistics that are not those of a new network."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        rgb, flow = Thin(3), Thin(2)
        for backbone, channels in ((rgb, 3), (flow, 2)):
            backbone(torch.rand(2, channels, LENGTH, SIZE, SIZE))
    return TwoStream(rgb, flow, dim=16, classes=CLASSES, seed=seed, micro_batch=micro_batch)


def run_of(
    data: Both, method: JointMethod, settings: Settings, net: TwoStream | None = None
) -> Run:
    """A run of seed 0 before its first step."""
    start = network() if net is None else net
    extras = method.extras(start, 0)
    return Run(start, extras, settings, 0, data.by_domain(), method.windows)


STILL = Settings(
    epochs=1, lr=0.01, batch_size=6, crop=1.0, mirror=False, statistics="stored", drop_at=None
)
MOVING = replace(STILL, epochs=2, crop=0.8, mirror=True, statistics="own", drop_at=0.5)


def joint(name: str) -> JointMethod:
    return JOINT_METHODS[name](JointWeights(threshold=0.0))


def note(run: Run, result: Callable[[], TwoStream], row: dict[str, float]) -> None:
    run.rows.append(row)


def weights(net: torch.nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in net.state_dict().values()])


def source_free(name: str) -> Unpaired:
    method = METHODS[name](Weights())
    assert isinstance(method, Unpaired)
    return method


def source_free_run(data: Both) -> Run:
    return Run(network(), {}, MOVING, 0, {"target": data.target}, "independent")
