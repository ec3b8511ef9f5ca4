"""The GPU's kernels: on a CPU in Triton's interpreter, where Triton is installed, or on a GPU."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import waves
from pipeline.flow import TVL1, torch_solver, torch_warp

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
pytest.importorskip("triton", reason="Triton comes with PyTorch's CUDA build only")

from pipeline.flow import triton_solver  # noqa: E402

H, W = 11, 34
CUTS = [triton_solver.Cut(depth=1, height=32), triton_solver.Cut(depth=3, height=8)]


def numbers(*shape: int, seed: int, scale: float) -> torch.Tensor:
    drawn = np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)
    return torch.from_numpy(drawn).to(DEVICE)


def frames(*seeds: int, size: waves.Size = (W, H)) -> torch.Tensor:
    pairs = np.stack([waves.moving(size, seed, shift=1).pair for seed in seeds])
    return torch.from_numpy(pairs).to(DEVICE).float()


def level(flow: torch.Tensor, cut: Any = CUTS[0], parameters: TVL1 = TVL1()) -> Any:  # noqa: B008
    """A level about to begin its first warp."""
    made = triton_solver._Level(frames(0, 1), flow, parameters, cut)
    made.linearise()
    return made


def assert_near(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


def test_warping_is_that_of_pytorch_also_from_far_outside() -> None:
    flow = numbers(2, 2, H, W, seed=0, scale=4)
    flow[0, 0, 3, 4], flow[1, 1, 5, 6] = 1e9, -1e9
    first, second = frames(0, 1).unbind(1)
    theirs = torch_warp.linearise(first, torch_warp.gradient_table(second), flow)
    assert theirs.abs().amax() > 100
    assert_near(level(flow).data, theirs)


def test_median_is_that_of_pytorch() -> None:
    flow = numbers(2, 2, H, W, seed=1, scale=1)
    made = level(flow)
    made._filter(0)
    assert torch.equal(made.state[:, 12:], torch_solver.median_5x5(flow))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("filtered", [True, False])
def test_a_block_of_iterations_is_that_of_pytorch(cut: Any, filtered: bool) -> None:
    p = TVL1(median_size=5 if filtered else 1)
    flow, other = numbers(2, 2, H, W, seed=2, scale=2), numbers(2, 2, H, W, seed=3, scale=2)
    dual = numbers(2, 2, 2, H, W, seed=4, scale=0.4)
    dual[..., 0, :, -1], dual[..., 1, -1, :] = 0, 0  # no flow leaves the image, from the start
    made = level(flow, cut, p)
    made.state[:, 2:6], made.state[:, 12:] = dual.flatten(1, 2), other
    made._iterate(0)
    now = other if filtered else flow
    for n in range(cut.depth):
        before, now = now, torch_solver._primal(made.data, now, dual, p)
        dual = torch_solver._dual(now, dual, p.tau / p.theta)
        change = torch_solver.total((now - before) ** 2)
        torch.testing.assert_close(made.change[:, 1, n].sum(1), change, rtol=1e-5, atol=0)
    assert_near(made.state[:, 6:8], now)
    assert_near(made.state[:, 8:12], dual.flatten(1, 2))
    assert torch.equal(made.state[:, :2], flow)


def test_a_pair_that_has_stopped_is_left_alone_and_the_other_goes_on() -> None:
    made = level(numbers(2, 2, H, W, seed=5, scale=1))
    made.change[1, 0] = made.enough / made.tiles  # no more than enough
    before = made.state.clone()
    made._filter(0)
    made._iterate(0)
    made._iterate(1)
    assert torch.equal(made.state[1], before[1])
    assert not torch.equal(made.state[0], before[0])
    assert made.ran().sum(1).tolist() == [2, 0]


def test_a_pair_that_came_to_rest_within_a_block_goes_back_to_where_it_did() -> None:
    flow = numbers(2, 2, H, W, seed=6, scale=1)
    one, three = level(flow, CUTS[0]), level(flow, CUTS[1])
    for made in (one, three):
        made._filter(0)
        made._iterate(0)
    one._iterate(1)
    three.change[0, 1, 1] = 0  # as if the first pair's second iteration had changed nothing
    assert not torch.equal(three.state[0, 6:12], one.state[0, :6])
    three._iterate(1)
    assert torch.equal(three.state[0, 6:12], one.state[0, :6])
    three._iterate(2)  # and it stays there
    assert torch.equal(three.state[0, 6:12], one.state[0, :6])
    assert three.ran().sum(1).tolist() == [1, 3]


@pytest.mark.parametrize("depth", [1, 2])
def test_a_level_is_solved_as_by_pytorch_and_alone_as_in_a_batch(depth: int) -> None:
    quick = TVL1(warps=2, inner_iterations=2, outer_iterations=2, epsilon=0.2)
    cut = triton_solver.Cut(depth, height=12)
    pairs = frames(0, 2, size=(21, 18))
    pairs[1, 1] = pairs[1, 0]  # stands still, so it stops long before the other
    start = torch.zeros_like(pairs)
    together = triton_solver.solve(pairs, start, quick, cut)
    assert_near(together, torch_solver.solve(pairs, start, quick))
    assert together[0].abs().amax() > 0.5
    alone = [triton_solver.solve(pairs[n : n + 1], start[:1], quick, cut) for n in (0, 1)]
    assert torch.equal(together, torch.cat(alone))


def test_kernels_compile_for_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    script = Path(__file__).parent / "compile_kernels.py"
    env = {name: text for name, text in os.environ.items() if name != "TRITON_INTERPRET"}
    env |= {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, script], env=env, stdout=subprocess.PIPE, check=True)
    assert done.stdout.split() == [b"iterate", b"median_5x5", b"linearise"]
