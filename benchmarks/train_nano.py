"""Trains the two networks of the small backbone `i3d_nano` on rendered videos.

    python -m benchmarks.train_nano

Takes about 25 minutes of two CPU cores, 4 GB of memory and nothing from the network, and writes
models/i3d_nano/rgb.safetensors and flow.safetensors. Both hold the classifier over MOTIONS too.
"""

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from benchmarks.nano_videos import MOTIONS, Clips, render_clips
from pipeline.backbones.i3d import I3D

Stream = Literal["rgb", "flow"]

WIDTH = 0.25
TRAIN_CLIPS, TEST_CLIPS = 6000, 1000
EPOCHS = 7
BATCH = 32
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.1
SHIFT = 6  # pixels, at most, that a clip is moved in training


def as_input(codes: Tensor) -> Tensor:
    """8-bit codes (n, t, h, w, c) as the network's input (n, c, t, h, w) in [-1, 1]."""
    return (codes.float() * (2 / 255) - 1).permute(0, 4, 1, 2, 3)


def vary(clips: Tensor, stream: Stream, generator: torch.Generator) -> Tensor:
    """Mirrors half of the clips (n, c, t, h, w) and moves each by some pixels."""
    moved = []
    for clip in clips:
        if torch.rand((), generator=generator) < 0.5:
            clip = clip.flip(-1)
            if stream == "flow":
                clip = torch.stack([-clip[0], clip[1]])
        right, down = torch.randint(0, 2 * SHIFT + 1, (2,), generator=generator).tolist()
        wide = F.pad(clip, (SHIFT, SHIFT, SHIFT, SHIFT), mode="replicate")
        moved.append(wide[..., down : down + clip.shape[-2], right : right + clip.shape[-1]])
    return torch.stack(moved)


def batches(count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of one epoch's full batches."""
    order = torch.randperm(count, generator=generator)
    yield from order[: count - count % BATCH].split(BATCH)


def train(codes: Tensor, labels: Tensor, stream: Stream, seed: int, epochs: int) -> I3D:
    """A network trained on `codes` (n, t, h, w, c), 8 bit, and `labels` (n,)."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = I3D(codes.shape[-1], width=WIDTH, classes=len(MOTIONS), dropout=0.3).train()
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = epochs * (len(codes) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, steps, pct_start=0.2)
    with tqdm(total=steps, desc=stream, disable=None) as progress:
        for _ in range(epochs):
            for index in batches(len(codes), generator):
                clips = vary(as_input(codes[index]), stream, generator)
                logits = model.classify(clips)
                loss = F.cross_entropy(logits, labels[index], label_smoothing=LABEL_SMOOTHING)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                progress.update()
    return model.eval()


@torch.no_grad()
def predict(model: I3D, codes: Tensor) -> Tensor:
    """Class probabilities (n, classes)."""
    return torch.cat([model.classify(as_input(part)).softmax(1) for part in codes.split(BATCH)])


def train_stream(folder: Path, seed: int, epochs: int, stream: Stream) -> Tensor:
    """Trains on the clips in `folder`, saves the weights there, returns test probabilities."""
    torch.set_num_threads(1)  # two networks side by side use two cores better than one on both
    codes = {part: np.load(folder / f"{part}_{stream}.npy") for part in ("train", "test")}
    labels = torch.from_numpy(np.load(folder / "train_labels.npy"))
    model = train(torch.from_numpy(codes["train"]), labels, stream, seed, epochs)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / f"{stream}.safetensors")
    return predict(model, torch.from_numpy(codes["test"]))


def save_clips(clips: Clips, folder: Path, part: str) -> None:
    """Writes clips for the processes that train."""
    np.save(folder / f"{part}_rgb.npy", clips.rgb)
    np.save(folder / f"{part}_flow.npy", clips.flow)
    np.save(folder / f"{part}_labels.npy", clips.labels)
    np.save(folder / f"{part}_paths.npy", clips.paths)
