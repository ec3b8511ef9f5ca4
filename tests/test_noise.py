"""Random numbers of a step: those of a run, whoever else trains beside it."""

import math

import pytest
import torch

from pipeline.noise import Noise

CPU = torch.device("cpu")


def noise(seed: int) -> Noise:
    return Noise(torch.tensor(seed), CPU)


def test_draws_of_runs_beside_each_other_are_those_of_each_alone() -> None:
    seeds = torch.tensor([7, 2**61, 0])

    def two_draws(seed: torch.Tensor) -> torch.Tensor:
        own = Noise(seed, CPU)
        return torch.stack([own.uniform(5, 3), own.normal(5, 3)])

    together = torch.vmap(two_draws)(seeds)
    for row, seed in enumerate(seeds):
        assert torch.equal(together[row], two_draws(seed))


def test_each_draw_is_another_and_a_seed_gives_the_same_ones_again() -> None:
    one, again, other = noise(1), noise(1), noise(2)
    first, second = one.uniform(100), one.uniform(100)
    assert not torch.equal(first, second)
    assert torch.equal(again.uniform(100), first)
    assert torch.equal(again.uniform(100), second)
    assert not torch.equal(other.uniform(100), first)


def test_neighbouring_seeds_share_no_draw() -> None:
    streams = [noise(seed) for seed in range(4)]
    draws = [tuple(stream.uniform(4).tolist()) for stream in streams for _ in range(8)]
    assert len(set(draws)) == 32


def test_the_global_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    noise(1).normal(10)
    assert torch.equal(torch.rand(3), expected)


def test_numbers_have_the_moments_of_their_distributions() -> None:
    uniform, normal = noise(0).uniform(200_000), noise(1).normal(200_000)
    assert 0 <= uniform.min() < uniform.max() < 1
    assert uniform.mean().item() == pytest.approx(0.5, abs=3e-3)
    assert uniform.var().item() == pytest.approx(1 / 12, rel=1e-2)
    assert normal.isfinite().all()
    assert normal.mean().item() == pytest.approx(0, abs=1e-2)
    assert normal.var().item() == pytest.approx(1, rel=2e-2)
    within = (normal.abs() < 1).double().mean().item()
    assert within == pytest.approx(math.erf(1 / math.sqrt(2)), abs=5e-3)


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    values = torch.full((100_000,), 2.0)
    dropped = noise(3).drop(values, 0.3)
    assert (dropped == 0).double().mean().item() == pytest.approx(0.3, abs=5e-3)
    assert dropped[dropped != 0].unique().tolist() == pytest.approx([2 / 0.7])
    assert torch.equal(noise(3).drop(values, 0.0), values)


def test_gradients_pass_where_nothing_was_dropped() -> None:
    values = torch.ones(1000, requires_grad=True)
    dropped = noise(4).drop(values, 0.5)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, dropped.detach())
