"""Trains the two networks of the small backbone `i3d_nano` on rendered videos.

    python -m benchmarks.train_nano [--into models/i3d_nano]

Takes about 15 minutes of two CPU cores and 4 GB of memory, and writes rgb.safetensors and
flow.safetensors; both hold the classifier over MOTIONS too. Prints the accuracy on clips that were
not trained on.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.nano_videos import MOTIONS, render_clips
from pipeline.backbones.i3d import I3D

Stream = Literal["rgb", "flow"]

SEED = 11
TRAIN_CLIPS, TEST_CLIPS = 3000, 200
EPOCHS = 6
BATCH = 32
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.1


def as_input(codes: Tensor) -> Tensor:
    """8-bit codes (n, t, h, w, c) as the network's input (n, c, t, h, w) in [-1, 1]."""
    return (codes.float() * (2 / 255) - 1).permute(0, 4, 1, 2, 3)


def new_network(stream: Stream) -> I3D:
    """An untrained network that learns fast enough for a CPU.

    Batch norm forgets faster than I3D's, since there are few steps. The RGB stem begins with
    filters that see change alone: otherwise the still background outweighs the motion for long.
    """
    torch.manual_seed(0)
    channels = {"rgb": 3, "flow": 2}[stream]
    model = I3D(channels, width=0.25, classes=len(MOTIONS), dropout=0.0).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = 0.1
    if stream == "rgb":
        stem = model.Conv3d_1a_7x7.conv3d.weight.data
        stem -= stem.mean(dim=2, keepdim=True)
        stem /= 5 * stem.std()
    return model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def mirrored(clips: Tensor, flips: Tensor, stream: Stream) -> Tensor:
    """Clips (n, c, t, h, w) with those of `flips` (n,) mirrored; flow's x changes its sign."""
    clips = clips.clone()
    clips[flips] = clips[flips].flip(-1)
    if stream == "flow":
        clips[flips, 0] *= -1
    return clips


def batches(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of one epoch's full batches."""
    order = torch.randperm(count, generator=generator)
    yield from order[: count - count % BATCH].split(BATCH)


def train(codes: Tensor, labels: Tensor, stream: Stream) -> I3D:
    """A network trained on `codes` (n, t, h, w, c), 8 bit, and `labels` (n,)."""
    model = new_network(stream)
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * (len(codes) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps, pct_start=0.2)
    with tqdm(total=steps, desc=stream, disable=None) as progress:
        for _ in range(EPOCHS):
            for index in batches(len(codes), generator):
                flips = torch.rand(BATCH, generator=generator) < 0.5
                logits = model.classify(mirrored(as_input(codes[index]), flips, stream))
                loss = F.cross_entropy(logits, labels[index], label_smoothing=LABEL_SMOOTHING)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                progress.update()
    return model.eval()


@torch.no_grad()
def accuracy(model: I3D, codes: Tensor, labels: Tensor) -> float:
    """Share of clips whose motion is named right."""
    named = [model.classify(as_input(part)).argmax(dim=1) for part in codes.split(50)]
    return (torch.cat(named) == labels).float().mean().item()


def train_stream(clips: Path, into: Path, stream: Stream) -> float:
    """Trains on the clips in `clips`, saves the weights, returns the test accuracy."""
    torch.set_num_threads(1)  # two networks side by side use two cores better than one on both
    codes = torch.from_numpy(np.load(clips / f"{stream}.npy"))
    labels = torch.from_numpy(np.load(clips / "labels.npy"))
    model = train(codes[:TRAIN_CLIPS], labels[:TRAIN_CLIPS], stream)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, into / f"{stream}.safetensors")
    return accuracy(model, codes[TRAIN_CLIPS:], labels[TRAIN_CLIPS:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, default=Path("models/i3d_nano"))
    into = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    streams: tuple[Stream, Stream] = ("rgb", "flow")
    with TemporaryDirectory() as name:
        folder = Path(name)
        clips = render_clips(TRAIN_CLIPS + TEST_CLIPS, seed=SEED, workers=2)
        for part in ("rgb", "flow", "labels"):
            np.save(folder / f"{part}.npy", getattr(clips, part))
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            found = pool.map(partial(train_stream, folder, into), streams)
            for stream, share in zip(streams, found, strict=True):
                print(
                    f"{stream}: {share:.1%} of the test clips right, chance {1 / len(MOTIONS):.1%}"
                )


if __name__ == "__main__":
    main()
