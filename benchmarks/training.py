"""How much faster do several seeds train as one batched model than one after the other?

    python -m benchmarks.training [--seeds 5] [--epochs 10] [--repeats 3] [--threads 1 2]

Adapts with `--method` random networks to random features of the demo's size (144 videos to learn
from and 72 more, T = 5, d = 256, two layers), one run at a time and all at once, in turns. Prints
the medians and their ratio for every number of threads, and the largest difference between the
weights that both ways end with. On a GPU with --device cuda.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from pipeline import training
from pipeline.features import Features
from pipeline.methods import METHODS, Weights
from pipeline.network import RelationNetwork

LEARNT, VIDEOS, CLIPS, DIM, CLASSES, LAYERS = 144, 216, 5, 256, 6, 2
Runs = dict[int, training.Trained]


def features(device: str) -> Features:
    """Random clips of the demo's size."""
    generator = torch.Generator().manual_seed(0)
    rgb, flow = torch.rand(2, VIDEOS, CLIPS, DIM, generator=generator).unbind()
    return Features(tuple(f"{n:03d}" for n in range(VIDEOS)), rgb, flow).to(device)


def timed(work: Callable[[], Runs], device: str) -> tuple[float, Runs]:
    """Seconds that the work takes, and what it gives."""
    start = time.perf_counter()
    runs = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start, runs


def difference(alone: Runs, together: Runs) -> float:
    """The largest difference between weights of the same seed."""
    return max(
        (weight - together[seed].model.state_dict()[name]).abs().max().item()
        for seed, run in alone.items()
        for name, weight in run.model.state_dict().items()
    )


def compare(options: argparse.Namespace, threads: int) -> str:
    """One line: how long both ways take with so many threads."""
    torch.set_num_threads(threads)
    videos, method = features(options.device), METHODS[options.method](Weights(lambda1=1.0))
    settings = training.Settings(options.epochs, 0.001, 128)
    networks = {
        seed: RelationNetwork(DIM, CLASSES, layers=LAYERS, seed=seed).to(options.device)
        for seed in range(options.seeds)
    }

    def adapted(seeds: list[int]) -> Runs:
        chosen = {seed: networks[seed] for seed in seeds}
        return training.adapt(chosen, videos, method, settings, range(LEARNT))

    def one_by_one() -> Runs:
        return {seed: adapted([seed])[seed] for seed in networks}

    adapted([0])  # libraries load and memory is asked for outside the measurement
    singles, batched, ends = list[float](), list[float](), (Runs(), Runs())
    for _ in range(options.repeats):
        seconds, alone = timed(one_by_one, options.device)
        singles.append(seconds)
        seconds, together = timed(lambda: adapted(list(networks)), options.device)
        batched.append(seconds)
        ends = alone, together
    ratio = median(singles) / median(batched)
    return (
        f"{threads} threads: one by one {median(singles):.2f} s, at once {median(batched):.2f} s, "
        f"{ratio:.2f} times as fast; weights differ by {difference(*ends):.1e} at most"
    )


def main() -> None:
    """Prints a line a number of threads."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--method", choices=list(METHODS), default="mtran")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print(f"{options.method}, {options.seeds} seeds, {options.epochs} epochs, {options.device}")
    for threads in options.threads:
        print(compare(options, threads), flush=True)


if __name__ == "__main__":
    main()
