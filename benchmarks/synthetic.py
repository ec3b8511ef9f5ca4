"""Two domains of made-up clip features, whose shift is known and can be turned.

    python -m benchmarks.synthetic [--raw data/raw] [--shift-rgb 1.0] [--shift-flow 0.5] ...

Writes RAW/synthetic_source/features.npz and RAW/synthetic_target/features.npz for
`dataset: imported`; --help lists what can be turned. A clip of modality m, class c and time t is

    x = max(0, a_m * (p_{m, c, t} + noise * e) + b_m),  e ~ N(0, 1),

non-negative as the features of a network that ends with a ReLU; a and b, a number a feature, are
the shift: 1 and 0 in the source. A class's clips have prototypes p of their own, so that their
order matters. In the target, time may be warped and clips may be out of order, and classes may be
of unequal size.
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.feature_archive import save
from pipeline.errors import UserError

CLASSES, CLIPS, DIM = 12, 5, 64
TRAIN_SHARE = 0.7
SPREAD = 0.35  # standard deviation of prototypes
SCALE, OFFSET = 0.3, 0.8  # of the shift: log a_m and b_m at 1
Array = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]
Name = Literal["source", "target"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How many videos, how noisy, and how far the target is from the source."""

    seed: int = 0
    videos: int = 600  # of each domain
    noise: float = 0.3  # standard deviation
    shift_rgb: float = 1.0  # 0: none
    shift_flow: float = 0.5
    imbalance: float = 3.0  # target's largest class by its smallest, at least 1
    stretch: float = 0.3  # target clip at time t in 0..1 shows t^(1 + stretch * u), u in 0..1
    permuted: float = 0.1  # share of the target's videos whose clips are in random order

    def __post_init__(self) -> None:
        faults = [
            f"{name}: expected {wanted}, found {getattr(self, name)}"
            for name, wanted, good in (
                ("videos", f"at least {10 * CLASSES}", self.videos >= 10 * CLASSES),
                ("noise", "0 or more", self.noise >= 0),
                ("imbalance", "1 to 5", 1 <= self.imbalance <= 5),
                ("stretch", "0 or more", self.stretch >= 0),
                ("permuted", "0 to 1", 0 <= self.permuted <= 1),
            )
            if not good
        ]
        if faults:
            raise UserError("\n".join(faults))


def domain(name: Name, settings: Settings) -> Arrays:
    """The arrays key, label, split (n,) and rgb, flow (n, CLIPS, DIM) float32 of a domain."""
    shared = np.random.default_rng([settings.seed, 0])
    prototypes = SPREAD * shared.standard_normal((2, CLASSES, CLIPS, DIM))
    scale, offset = _shift(shared, settings)
    rng = np.random.default_rng([settings.seed, 1 if name == "source" else 2])
    counts = class_sizes(settings.videos, settings.imbalance if name == "target" else 1.0)
    label = np.repeat(np.arange(CLASSES), counts)
    times = np.tile(np.arange(CLIPS, dtype=float), (len(label), 1))
    if name == "target":
        times = _moved(times, rng, settings)
    clean = at_times(prototypes[:, label], times)  # (2, n, CLIPS, DIM)
    clips = clean + settings.noise * rng.standard_normal(clean.shape)
    if name == "target":
        clips = scale * clips + offset
    rgb, flow = np.maximum(clips, 0).astype(np.float32)
    return {**_names(counts, rng), "rgb": rgb, "flow": flow}


def _shift(rng: np.random.Generator, settings: Settings) -> tuple[Array, Array]:
    """Factor and offset of each modality and feature, (2, 1, 1, DIM) both."""
    amount = np.array([settings.shift_rgb, settings.shift_flow])[:, None, None, None]
    scale, offset = rng.standard_normal((2, 2, 1, 1, DIM))
    return np.exp(SCALE * amount * scale), OFFSET * amount * offset


def class_sizes(videos: int, imbalance: float) -> NDArray[np.int64]:
    """Videos of each class (CLASSES,), falling evenly in the logarithm; their sum is `videos`."""
    share = imbalance ** -np.linspace(0, 1, CLASSES)
    ends = np.rint(videos * np.cumsum(share) / share.sum()).astype(np.int64)
    return np.diff(ends, prepend=0)


def _moved(times: Array, rng: np.random.Generator, settings: Settings) -> Array:
    """Times (n, CLIPS) of 0..CLIPS-1, each video's warped, and some videos' out of order."""
    last = CLIPS - 1
    power = 1 + settings.stretch * rng.random((len(times), 1))
    warped = last * (times / last) ** power
    chosen = rng.random(len(times)) < settings.permuted
    warped[chosen] = rng.permuted(warped[chosen], axis=1)
    return warped


def at_times(clips: Array, times: Array) -> Array:
    """Clips (2, n, CLIPS, DIM) at times (n, CLIPS) of 0..CLIPS-1, linear between neighbours."""
    before = np.minimum(times.astype(int), CLIPS - 2)
    weight = (times - before)[:, :, None]
    row = np.arange(len(times))[:, None]
    return (1 - weight) * clips[:, row, before] + weight * clips[:, row, before + 1]


def _names(counts: NDArray[np.int64], rng: np.random.Generator) -> Arrays:
    """Key, label and split of each video; `TRAIN_SHARE` of every class trains."""
    label, key, split = [], [], []
    for number, count in enumerate(counts):
        train = set(rng.permutation(count)[: round(TRAIN_SHARE * count)].tolist())
        label += [f"class_{number:02d}"] * count
        key += [f"class_{number:02d}/{video:04d}" for video in range(count)]
        split += ["train" if video in train else "test" for video in range(count)]
    columns = {"key": key, "label": label, "split": split}
    return {name: np.array(column, dtype=str) for name, column in columns.items()}


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", type=Path, default=Path("data/raw"))
    for option in dataclasses.fields(Settings):
        flag = f"--{option.name.replace('_', '-')}"
        parser.add_argument(flag, type=type(option.default), default=option.default)
    return parser.parse_args(words)


def main() -> None:
    options = vars(arguments())
    raw = options.pop("raw")
    try:
        settings = Settings(**options)
    except UserError as fault:
        sys.exit(str(fault))
    names: tuple[Name, ...] = ("source", "target")
    for name in names:
        save(raw / f"synthetic_{name}" / "features.npz", domain(name, settings))


if __name__ == "__main__":
    main()
