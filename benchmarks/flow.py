"""How fast is our TV-L1 beside OpenCV's, and how far apart are their flows?

    python -m benchmarks.flow [--videos FOLDER] [--size 224x224 340x256] [--pairs 8] [--rounds 5]
                              [--out FILE]

Pairs of consecutive frames come from videos of the folder, one pair a video, or else are textures
that move by known flow. Times are taken in interleaved rounds: with one thread, and with two cores
busy, by two processes of one thread each or, for OpenCV, by two threads if these are faster in that
round. Shown are medians over the rounds, and the ratios' range. FILE gets the same tables.
"opencv*" is OpenCV given frames brighter or darker by one unit in the last place of float32: by so
much it differs from itself.
"""

import argparse
import itertools
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numba
import numpy as np
from llvmlite import binding

from pipeline import atomic, flow
from pipeline.flow import opencv_reference

BOUND = 20  # px, of the 8-bit code
OURS: tuple[flow.Implementation, ...] = ("native", "fast", "numba")
Size = tuple[int, int]


@dataclass(frozen=True)
class Pair:
    """Two grey frames (h, w), and the true flow (2, h, w) where it is known."""

    first: np.ndarray
    second: np.ndarray
    true: np.ndarray | None = None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--size", nargs="+", type=size, default=[(224, 224), (340, 256)])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def size(text: str) -> Size:
    width, height = (int(side) for side in text.split("x"))
    return width, height


def filmed(folder: Path, count: int) -> list[Pair]:
    """Two frames from the middle of each of `count` videos, spread over the folder's."""
    videos = sorted(path for path in folder.rglob("*") if path.suffix in {".avi", ".mp4", ".mkv"})
    if not videos:
        raise SystemExit(f"{folder}: no .avi, .mp4 or .mkv file in it")
    chosen = np.linspace(0, len(videos) - 1, min(count, len(videos))).round().astype(int)
    return [Pair(*middle(videos[number])) for number in chosen]


def middle(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    start = max(len(frames) // 2 - 1, 0)
    return frames[start : start + 2]


def resized(pair: Pair, to: Size) -> Pair:
    return Pair(
        *(cv2.resize(f, to, interpolation=cv2.INTER_AREA) for f in (pair.first, pair.second))
    )


def textures(count: int, to: Size) -> Iterator[Pair]:
    """Noise of several scales that turns, grows and moves by up to 8 px."""
    width, height = to
    rng = np.random.default_rng(0)
    for _ in range(count):
        noise = rng.normal(size=(3, height + 128, width + 128))
        layers = zip(noise, (1.5, 5, 16), strict=True)
        big = np.sum([scale * cv2.GaussianBlur(n, (0, 0), scale) for n, scale in layers], axis=0)
        big = 255 * (big - big.min()) / np.ptp(big)
        turn = cv2.getRotationMatrix2D(
            (width / 2, height / 2), rng.uniform(-2, 2), rng.uniform(0.97, 1.03)
        )
        turn[:, 2] = turn[:, 2] + rng.uniform(-4, 4, 2)
        yield moved(big, turn, to)


def moved(big: np.ndarray, matrix: np.ndarray, to: Size) -> Pair:
    """Cuts a frame out of a picture 64 px larger all around, and another after an affine motion."""
    at = np.stack(np.meshgrid(np.arange(to[0]), np.arange(to[1]))).astype(np.float64)

    def mapped(matrix: np.ndarray) -> np.ndarray:
        return np.tensordot(matrix[:, :2], at, 1) + matrix[:, 2, None, None]

    origin = (mapped(cv2.invertAffineTransform(matrix)) + 64).astype(np.float32)
    second = cv2.remap(big, origin[0], origin[1], cv2.INTER_CUBIC)
    first, second = (np.clip(f, 0, 255).astype(np.uint8) for f in (big[64:-64, 64:-64], second))
    return Pair(first, second, mapped(matrix) - at)


def compute(implementation: flow.Implementation, pair: Pair) -> np.ndarray:
    return flow.tvl1(pair.first, pair.second, implementation=implementation)


def disturbed(pair: Pair) -> np.ndarray:
    """OpenCV's flow, each pixel of the frames up or down by one unit in its last place."""
    frames = np.stack([pair.first, pair.second]).astype(np.float32) / 255
    up = np.random.default_rng(0).integers(0, 2, frames.shape, dtype=bool)
    first, second = np.nextafter(frames, np.where(up, 2, -1).astype(np.float32))
    return opencv_reference.tvl1(first, second, flow.OPENCV_DEFAULTS)


def agreement(
    name: str, pairs: list[Pair], ours: list[np.ndarray], theirs: list[np.ndarray]
) -> str:
    """A line of the table: how far one list of flows is from another, and from the truth."""
    both = list(zip(ours, theirs, strict=True))
    difference = np.concatenate([np.hypot(*(a - b)).ravel() for a, b in both])
    codes = [flow.to_code(a, BOUND) == flow.to_code(b, BOUND) for a, b in both]
    true = [
        np.hypot(*(a - p.true)).mean()
        for a, p in zip(ours, pairs, strict=True)
        if p.true is not None
    ]
    return (
        f"| {name:7} | {difference.mean():.6f} | {np.quantile(difference, 0.99):.5f} "
        f"| {(difference < 0.1).mean():.3%} | {(difference == 0).mean():.3%} "
        f"| {np.mean(codes):.3%} | {f'{np.mean(true):.5f}' if true else ''} |"
    )


def agreements(pairs: list[Pair]) -> list[str]:
    """The table of agreement."""
    theirs = [compute("opencv", pair) for pair in pairs]
    flows: dict[str, list[np.ndarray]] = {
        which: [compute(which, pair) for pair in pairs] for which in OURS
    }
    flows |= {"opencv*": [disturbed(pair) for pair in pairs], "opencv": theirs}
    return [
        "| to opencv | mean, px | p99, px | < 0.1 px | identical | same code | to truth, px |",
        "|---|---|---|---|---|---|---|",
        *(agreement(name, pairs, ours, theirs) for name, ours in flows.items()),
    ]


def by_two_threads(pairs: list[Pair]) -> None:
    """OpenCV's own threads; `opencv_reference` allows it one."""
    cv2.setNumThreads(2)
    optflow: Any = vars(cv2)["optflow"]
    for pair in pairs:
        optflow.DualTVL1OpticalFlow_create().calc(pair.first, pair.second, None)
    cv2.setNumThreads(1)


def seconds(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Times each work in turn, `rounds` times, after a first time that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for number, name in itertools.product(range(rounds + 1), work):
        start = time.perf_counter()
        work[name]()
        if number:
            taken[name].append(time.perf_counter() - start)
    return taken


def row(arrangement: str, name: str, taken: list[float], theirs: list[float], count: int) -> str:
    """A line of the table of times."""
    ratios = [a / b for a, b in zip(theirs, taken, strict=True)]
    return (
        f"| {arrangement} | {name} | {1000 * statistics.median(taken) / count:.1f} "
        f"| {statistics.median(ratios):.1f} | {min(ratios):.1f} to {max(ratios):.1f} |"
    )


def times(pairs: list[Pair], rounds: int, pool: ProcessPoolExecutor) -> list[str]:
    """The table of times."""

    def alone(which: flow.Implementation) -> object:
        return [compute(which, pair) for pair in pairs]

    def by_two(which: flow.Implementation) -> object:
        return list(pool.map(partial(compute, which), pairs))

    every: tuple[flow.Implementation, ...] = ("opencv", *OURS)
    one = seconds({which: partial(alone, which) for which in every}, rounds)
    work: dict[str, Callable[[], object]] = {which: partial(by_two, which) for which in every}
    two = seconds({"threads": partial(by_two_threads, pairs)} | work, rounds)
    two["opencv"] = [min(both) for both in zip(two.pop("threads"), two["opencv"], strict=True)]
    return [
        "| cores | implementation | ms a pair | times opencv | range |",
        "|---|---|---|---|---|",
        *(row("1", name, taken, one["opencv"], len(pairs)) for name, taken in one.items()),
        *(row("2", name, taken, two["opencv"], len(pairs)) for name, taken in two.items()),
    ]


def hardware() -> str:
    """A line on the machine and the versions."""
    return (
        f"{binding.get_host_cpu_name()}, {multiprocessing.cpu_count()} cores, "
        f"{platform.machine()}; Python {platform.python_version()}, OpenCV {cv2.__version__}, "
        f"Numba {numba.__version__}"
    )


def main() -> None:
    options = arguments()
    cv2.setNumThreads(1)
    for which in OURS:
        flow.compile_ahead(which)
    source = filmed(options.videos, options.pairs) if options.videos else None
    kind = "pairs of frames" if source else "pairs of textures"
    lines = [hardware()]
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawned) as pool:
        for to in options.size:
            pairs = (
                [resized(p, to) for p in source] if source else list(textures(options.pairs, to))
            )
            lines += ["", f"## {to[0]}x{to[1]}, {len(pairs)} {kind}", "", *agreements(pairs), ""]
            lines += times(pairs, options.rounds, pool)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        atomic.write_file(options.out, text)


if __name__ == "__main__":
    main()
