"""How fast is TV-L1 on this GPU, beside its memory's limit and the CPU's cores?

    python -m benchmarks.flow_gpu [--size 224x224 340x256] [--pairs 256] [--cut 3x32 2x64]

Needs PyTorch, Numba and, on a GPU, Triton; no other package. `--device cpu` runs PyTorch's plain
path, to show that the script works: `--device cpu --size 32x32 --pairs 2 --rounds 1`.

Pairs are textures of known motion. `default` is the flow as the pipeline computes it; `30 a warp`
iterates 30 times in every warp, about as often as real videos need on average, so that the work is
known: iterations of pixels a second, and their share of what the memory allows at 60 bytes for 3.
Seconds are medians over rounds, in which the candidates take turns.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks import waves
from pipeline import flow
from pipeline.flow import batched_tvl1, torch_pyramid
from pipeline.flow.batched_tvl1 import Solve

BYTES = 60 / 3  # of an iteration of a pixel: 9 numbers read, 6 written, in 3 iterations
STEADY = flow.TVL1(epsilon=0, outer_iterations=1)
Work = Callable[[], object]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--size", nargs="+", type=size, default=[(224, 224), (340, 256)])
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cut", nargs="+", default=["3x32"], help="depth x height")
    return parser.parse_args()


def size(text: str) -> waves.Size:
    width, height = (int(side) for side in text.split("x"))
    return width, height


def solvers(device: torch.device, cuts: Sequence[str]) -> dict[str, Solve]:
    """Triton's kernels, cut in each way, or where there are none, plain PyTorch."""
    default = batched_tvl1.solver(device)
    if not default.__module__.endswith("triton_solver"):
        return {"torch": default}
    from pipeline.flow import triton_solver

    made = {name: triton_solver.Cut(*(int(n) for n in name.split("x"))) for name in cuts}
    return {f"triton {name}": partial(triton_solver.solve, cut=cut) for name, cut in made.items()}


def finished(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(works: dict[str, Work], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each, in turns, after a first time that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            finished(device)
            start = time.perf_counter()
            work()
            finished(device)
            if number:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def bandwidth(device: torch.device, rounds: int) -> float:
    """Bytes a second that a copy reads and writes."""
    count = 2**28 if device.type == "cuda" else 2**24
    source = torch.zeros(count, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    return 8 * count / seconds({"": lambda: target.copy_(source)}, rounds, device)[""]


def on_cpu(pairs: np.ndarray, pool: ThreadPoolExecutor) -> list[np.ndarray]:
    return list(pool.map(lambda pair: flow.tvl1(*pair), pairs))


def show_agreement(name: str, ours: np.ndarray, theirs: np.ndarray, true: np.ndarray) -> None:
    difference = np.hypot(*(ours - theirs).swapaxes(0, 1))
    errors = [np.hypot(*(each - true).swapaxes(0, 1)).mean() for each in (ours, theirs)]
    print(
        f"  {name:18} to the CPU's: {difference.mean():.6f} px on average, "
        f"{(difference < 0.1).mean():.3%} < 0.1 px, {(difference == 0).mean():.3%} identical; "
        f"to truth {errors[0]:.4f} px, the CPU's {errors[1]:.4f} px"
    )


def work_of_30_a_warp(to: waves.Size) -> int:
    """Iterations of pixels that `STEADY` takes for a pair."""
    levels = torch_pyramid.levels(torch.zeros(to[::-1]), STEADY)
    return sum(level.numel() for level in levels) * STEADY.warps * STEADY.inner_iterations


def show(
    to: waves.Size, options: argparse.Namespace, limit: float, pool: ThreadPoolExecutor
) -> None:
    made = [waves.moving(to, seed) for seed in range(options.pairs)]
    host, device = np.stack([wave.pair for wave in made]), torch.device(options.device)
    pairs: Tensor = torch.from_numpy(host).to(device)
    true = np.stack([wave.flow for wave in made])
    works: dict[str, Work] = {"CPU": partial(on_cpu, host, pool)}
    theirs = np.stack(on_cpu(host, pool))
    for name, solve in solvers(device, options.cut).items():
        ours = batched_tvl1.tvl1_many(pairs, solve=solve).cpu().numpy()
        show_agreement(name, ours, theirs, true)
        works[f"{name}, default"] = partial(batched_tvl1.tvl1_many, pairs, solve=solve)
        works[f"{name}, 30 a warp"] = partial(batched_tvl1.tvl1_many, pairs, STEADY, solve=solve)
    taken = seconds(works, options.rounds, device)
    for name, time_taken in taken.items():
        line = f"  {name:28} {len(pairs) / time_taken:9.2f} pairs/s"
        line += f"  x {taken['CPU'] / time_taken:6.2f} CPU" if "default" in name else ""
        if "30 a warp" in name:
            rate = len(pairs) * work_of_30_a_warp(to) / time_taken
            line += (
                f"  {rate:.3g} px-iterations/s, {rate * BYTES / limit:.1%} of the memory's limit"
            )
        print(line, flush=True)


def main() -> None:
    options = arguments()
    device = batched_tvl1.gpu() if options.device == "cuda" else torch.device("cpu")
    flow.compile_ahead()
    limit = bandwidth(device, options.rounds)
    cores = len(os.sched_getaffinity(0))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    print(f"{name}, copies at {limit / 1e9:.0f} GB/s; {cores} cores; PyTorch {torch.__version__}")
    with ThreadPoolExecutor(cores) as pool:
        for to in options.size:
            print(f"{to[0]}x{to[1]}, {options.pairs} pairs of textures a batch", flush=True)
            show(to, options, limit, pool)


if __name__ == "__main__":
    main()
