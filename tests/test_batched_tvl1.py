import numpy as np
import pytest
import torch

from benchmarks import waves
from pipeline import flow
from pipeline.errors import UserError
from pipeline.flow import TVL1, batched_tvl1, torch_solver


def moving(*seeds: int, size: waves.Size = (52, 43)) -> torch.Tensor:
    return torch.from_numpy(np.stack([waves.moving(size, seed, shift=1.5).pair for seed in seeds]))


def noisy() -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, 6, (1, 2, 43, 52))
    return torch.from_numpy(np.clip(moving(3).numpy() + noise, 0, 255).astype(np.uint8))


def occlusion() -> torch.Tensor:
    """A square that moves by (3, 1) before a texture that moves otherwise."""
    pairs, square = moving(4), moving(5)[0, 0, :20, :24]
    pairs[0, 0, 10:30, 12:36] = square
    pairs[0, 1, 11:31, 15:39] = square
    return pairs


def by_numba(pairs: torch.Tensor, parameters: TVL1 = TVL1()) -> np.ndarray:  # noqa: B008
    return np.stack([flow.tvl1(*pair, parameters=parameters) for pair in pairs.numpy()])


def assert_agree(ours: torch.Tensor, theirs: np.ndarray) -> None:
    difference = np.hypot(*(ours.numpy() - theirs).swapaxes(0, 1))
    assert difference.mean() <= 0.005
    assert (difference < 0.1).mean() >= 0.998


@pytest.mark.parametrize("pairs", [moving(0), noisy(), occlusion()])
def test_the_flow_is_that_of_numba_to_the_last_bit(pairs: torch.Tensor) -> None:
    theirs = by_numba(pairs)
    assert np.hypot(*theirs[0]).mean() > 0.5
    np.testing.assert_array_equal(batched_tvl1.tvl1_many(pairs).numpy(), theirs)


@pytest.mark.parametrize("size", [(2, 2), (40, 3), (16, 15), (17, 16), (29, 33)])
def test_the_flow_is_that_of_numba_at_any_size(size: waves.Size) -> None:
    pairs = moving(0, size=size)
    assert_agree(batched_tvl1.tvl1_many(pairs), by_numba(pairs))


@pytest.mark.parametrize(
    "parameters",
    [
        TVL1(tau=0.2, lambda_=0.3, theta=0.25, epsilon=0.02, warps=2),
        TVL1(scales=2, scale_step=0.5, warps=2, inner_iterations=7, outer_iterations=4),
        TVL1(median_size=1, warps=2),
    ],
)
def test_parameters_mean_what_they_mean_to_numba(parameters: TVL1) -> None:
    pairs = moving(0)
    assert_agree(batched_tvl1.tvl1_many(pairs, parameters), by_numba(pairs, parameters))


def extreme_pairs() -> torch.Tensor:
    black, white = np.zeros((24, 32), np.uint8), np.full((24, 32), 255, np.uint8)
    checks = (np.indices(black.shape).sum(0) % 2 * 255).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (2, 24, 32), np.uint8)
    pairs = [(black, black), (black, white), (white, black), (checks, 255 - checks), tuple(noise)]
    return torch.from_numpy(np.stack([np.stack(pair) for pair in pairs]))


def test_extreme_frames_give_finite_flow_and_that_of_numba() -> None:
    pairs = extreme_pairs()
    few = TVL1(outer_iterations=2)
    ours = batched_tvl1.tvl1_many(pairs, few)
    assert ours.isfinite().all()
    assert not ours[0].any()
    assert_agree(ours, by_numba(pairs, few))


def test_a_pair_gets_the_same_bits_alone_and_in_any_batch() -> None:
    pairs = torch.cat([moving(0, 1, size=(29, 21)), extreme_pairs()[1:, :, :21, :29]])
    few = TVL1(warps=2, outer_iterations=2)
    together = batched_tvl1.tvl1_many(pairs, few)
    turned = batched_tvl1.tvl1_many(pairs.flip(0), few).flip(0)
    alone = torch.cat([batched_tvl1.tvl1_many(pair[None], few) for pair in pairs])
    assert torch.equal(together, alone)
    assert torch.equal(turned, alone)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 999])
def test_a_sum_has_one_order_in_any_batch(count: int) -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(5, count)).astype(np.float32))
    sums = torch_solver.total(values)
    np.testing.assert_allclose(sums, values.double().sum(1), rtol=1e-4, atol=1e-4)
    assert torch.equal(sums, torch.cat([torch_solver.total(each[None]) for each in values]))


def test_no_pair_has_no_flow() -> None:
    assert batched_tvl1.tvl1_many(moving(0)[:0]).shape == (0, 2, 43, 52)


@pytest.mark.parametrize(
    ("pairs", "what"),
    [
        (torch.zeros(1, 2, 8, 8), "float32"),
        (torch.zeros(2, 8, 8, dtype=torch.uint8), "(2, 8, 8)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "(1, 3, 8, 8)"),
        (torch.zeros(1, 2, 1, 8, dtype=torch.uint8), "at least 2"),
    ],
)
def test_what_are_no_pairs_of_grey_frames_is_refused(pairs: torch.Tensor, what: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        batched_tvl1.tvl1_many(pairs)
    assert what in str(error.value)


@pytest.mark.parametrize("bound", [0.3, 15.3, 20])
def test_codes_are_those_of_the_other_implementations(bound: float) -> None:
    field = np.random.default_rng(0).normal(0, bound, (3, 500)).astype(np.float32)
    field[0, :3] = 0, bound, -bound
    ours = batched_tvl1.to_code(torch.from_numpy(field), bound)
    np.testing.assert_array_equal(ours.numpy(), flow.to_code(field, bound))


def test_without_a_gpu_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    first, second = moving(0)[0].numpy()
    with pytest.raises(UserError, match="use implementation 'numba'"):
        flow.tvl1(first, second, implementation="cuda")


def test_one_pair_on_the_gpu_is_a_batch_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched_tvl1, "gpu", lambda: torch.device("cpu"))
    pairs = moving(0, size=(16, 16))
    ours = flow.tvl1(*pairs[0].numpy(), implementation="cuda")
    np.testing.assert_array_equal(ours, batched_tvl1.tvl1_many(pairs)[0].numpy())
