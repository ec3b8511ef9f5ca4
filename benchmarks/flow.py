"""How fast is the Numba TV-L1 beside OpenCV's, and how far apart are their flows?

    python -m benchmarks.flow [--videos FOLDER] [--size 224x224 340x256] [--pairs 8] [--rounds 5]

Pairs of consecutive frames come from videos of the folder, one pair a video, or else are textures
that move by known flow. Times are taken in interleaved rounds, with one thread, and with two
processes of one thread each; shown are medians over the rounds, and the ratios' range.
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

import av
import cv2
import numba
import numpy as np
from llvmlite import binding

from pipeline import flow
from pipeline.flow import opencv_reference

BOUND = 20  # px, of the 8-bit code
IMPLEMENTATIONS: tuple[flow.Implementation, ...] = ("opencv", "numba")
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
        f"  {name:11} {difference.mean():9.6f} {np.quantile(difference, 0.99):9.5f} "
        f"{(difference < 0.1).mean():9.3%} {(difference == 0).mean():9.3%} {np.mean(codes):9.3%}"
        + (f" {np.mean(true):13.5f}" if true else "")
    )


def show_agreement(pairs: list[Pair]) -> None:
    theirs, ours = ([compute(which, pair) for pair in pairs] for which in IMPLEMENTATIONS)
    truth = "  to truth, px" if pairs[0].true is not None else ""
    print(f"  to opencv:  mean, px   p99, px  < 0.1 px  identical same code{truth}")
    print(agreement("numba", pairs, ours, theirs))
    print(agreement("opencv*", pairs, [disturbed(pair) for pair in pairs], theirs))
    print(agreement("opencv", pairs, theirs, theirs), flush=True)


def seconds(work: Callable[[flow.Implementation], object], rounds: int) -> dict[str, list[float]]:
    """Times the implementations in turn, `rounds` times, after a first time that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in IMPLEMENTATIONS}
    for number, which in itertools.product(range(rounds + 1), IMPLEMENTATIONS):
        start = time.perf_counter()
        work(which)
        if number:
            taken[which].append(time.perf_counter() - start)
    return taken


def show_times(name: str, taken: dict[str, list[float]], count: int) -> None:
    opencv, ours = (1000 * statistics.median(taken[which]) / count for which in IMPLEMENTATIONS)
    ratios = [a / b for a, b in zip(taken["opencv"], taken["numba"], strict=True)]
    print(
        f"  {name:24} opencv {opencv:8.1f} ms  numba {ours:7.1f} ms a pair   "
        f"x {statistics.median(ratios):5.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
        flush=True,
    )


def show(pairs: list[Pair], rounds: int, pool: ProcessPoolExecutor) -> None:
    def alone(which: flow.Implementation) -> object:
        return [compute(which, pair) for pair in pairs]

    def by_two(which: flow.Implementation) -> object:
        return list(pool.map(partial(compute, which), pairs))

    show_agreement(pairs)
    show_times("1 process x 1 thread", seconds(alone, rounds), len(pairs))
    show_times("2 processes x 1 thread", seconds(by_two, rounds), len(pairs))


def main() -> None:
    options = arguments()
    cv2.setNumThreads(1)
    start = time.perf_counter()
    flow.compile_ahead()
    print(
        f"{binding.get_host_cpu_name()}, {multiprocessing.cpu_count()} cores, "
        f"{platform.machine()}; Python {platform.python_version()}, OpenCV {cv2.__version__}, "
        f"Numba {numba.__version__}, compiled or loaded in {time.perf_counter() - start:.1f} s"
    )
    source = filmed(options.videos, options.pairs) if options.videos else None
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawned) as pool:
        for to in options.size:
            pairs = (
                [resized(p, to) for p in source] if source else list(textures(options.pairs, to))
            )
            kind = "pairs of frames" if source else "pairs of textures"
            print(f"{to[0]}x{to[1]}, {len(pairs)} {kind}", flush=True)
            show(pairs, options.rounds, pool)


if __name__ == "__main__":
    main()
