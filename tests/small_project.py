"""A project folder with what stands there before stage `adapt`: made-up features, 20 videos."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from two_domains import Domain

from pipeline import checkpoints, index, params, paths, store, training
from pipeline.checkpoints import Card
from pipeline.descent import Settings
from pipeline.features import Features
from pipeline.index import Video
from pipeline.store import VideoFeatures

SOURCE, TARGET = "lab", "yard"
CLASSES = ("jump", "run", "walk")
TRAIN, VIDEOS, CLIPS, DIM = 16, 20, 3, 16
SEEDS = (0, 1)
PROVENANCE: dict[str, Any] = {"features": {"backbone": "imported"}}


def write(folder: Path) -> None:
    """The source's and the target's features and indexes, params.yaml, and a source model."""
    for number, name in enumerate((SOURCE, TARGET)):
        _write_domain(folder, name, _domain(seed=number))
    checkpoints.save(folder / paths.SOURCE_MODEL, *_source_models(), [{"epoch": 1}])
    content = yaml.safe_load((Path(params.__file__).parent.parent / "params.yaml").read_text())
    content["task"] = {"source": SOURCE, "target": TARGET, "classes": None}
    content["domains"] = {name: {"dataset": "imported"} for name in (SOURCE, TARGET)}
    content["features"]["backbone"] = "imported"
    content["seeds"] = list(SEEDS)
    content["adapt"] |= {"epochs": 2, "batch_size": 8}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))


def set_method(folder: Path, name: str) -> None:
    """Makes it the method of params.yaml."""
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["adapt"]["method"] = name
    path.write_text(yaml.safe_dump(content))


def without_the_source(folder: Path) -> None:
    """Removes all that is of the source but its model."""
    for path in (paths.features(SOURCE), paths.videos(SOURCE).parent):
        shutil.rmtree(folder / path)


def scramble_labels(folder: Path) -> None:
    """Other labels of the target's videos, and other numbers of each."""
    path = folder / paths.labels(TARGET)
    labels = index.read_labels(path)
    index.write_labels(path, {key: CLASSES[n % 7 % 3 - 1] for n, key in enumerate(labels)})


def _domain(seed: int) -> Domain:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(VIDEOS) % len(CLASSES)
    streams = torch.randn(2, VIDEOS, CLIPS, DIM, generator=generator) + labels[:, None, None]
    keys = tuple(f"{number:02d}.mp4" for number in range(VIDEOS))
    return Domain(Features(keys, *streams), labels)


def _write_domain(folder: Path, name: str, domain: Domain) -> None:
    keys, named = domain.features.keys, [CLASSES[number] for number in domain.labels]
    videos = [
        Video(key, key, None, None, "train" if row < TRAIN else "test", sha256="")
        for row, key in enumerate(keys)
    ]
    index.write_videos(folder / paths.videos(name), videos)
    index.write_labels(folder / paths.labels(name), dict(zip(keys, named, strict=True)))
    index.write_classes(folder / paths.classes(name), named)
    rows = zip(domain.features.rgb.numpy(), domain.features.flow.numpy(), strict=True)
    frames = np.zeros((CLIPS, 1, 1), np.int32)
    stored = {
        key: VideoFeatures("", rgb[:, None], flow[:, None], frames, n_frames=1, fps=1.0)
        for key, (rgb, flow) in zip(keys, rows, strict=True)
    }
    store.write(folder / paths.features(name), stored, PROVENANCE)


def _source_models() -> tuple[dict[int, Any], Card]:
    card = Card(CLASSES, DIM, layers=1, dropout=0.3, features=PROVENANCE)
    source = _domain(seed=0)
    fresh = {seed: card.new_network(seed) for seed in SEEDS}
    runs = training.pretrain(fresh, source.features, source.labels, Settings(epochs=2))
    return {seed: run.model for seed, run in runs.items()}, card
