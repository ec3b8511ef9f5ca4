import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.discrepancy_losses import maximum_mean_discrepancy, mean_squared_distance


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def slow(one: list[list[float]], other: list[list[float]]) -> float:
    both = one + other
    pairs = [math.dist(x, y) ** 2 for i, x in enumerate(both) for j, y in enumerate(both) if i != j]
    g = sum(pairs) / len(pairs)

    def k(x: list[float], y: list[float]) -> float:
        return sum(math.exp(-(math.dist(x, y) ** 2) / (s * g)) for s in (0.25, 0.5, 1, 2, 4))

    def mean(xs: list[list[float]], ys: list[list[float]]) -> float:
        return sum(k(x, y) for x in xs for y in ys) / (len(xs) * len(ys))

    return mean(one, one) + mean(other, other) - 2 * mean(one, other)


def discrepancy(one: Tensor, other: Tensor) -> Tensor:
    return maximum_mean_discrepancy(one, other, mean_squared_distance(torch.cat([one, other])))


@pytest.mark.parametrize(("n", "m"), [(5, 5), (3, 7), (1, 2)])
def test_discrepancy_equals_its_formula(n: int, m: int) -> None:
    one, other = normal(n, 4), 100 + normal(m, 4, seed=1)
    assert discrepancy(one, other).item() == pytest.approx(slow(one.tolist(), other.tolist()))


def test_discrepancy_of_two_single_videos_is_known() -> None:
    got = discrepancy(torch.zeros(1, 3), torch.full((1, 3), 7.0)).item()
    kernels = sum(math.exp(-1 / s) for s in (0.25, 0.5, 1, 2, 4))
    assert got == pytest.approx(10 - 2 * kernels)


def test_equal_sets_have_no_discrepancy() -> None:
    features = normal(6, 4)
    assert discrepancy(features, features.flip(0)).item() == pytest.approx(0, abs=1e-12)


def test_videos_that_all_coincide_have_no_discrepancy_and_no_gradient() -> None:
    one, other = torch.ones(3, 4, requires_grad=True), torch.ones(2, 4)
    value = discrepancy(one, other)
    value.backward()
    assert value.item() == 0
    assert one.grad is not None
    assert not one.grad.any()


def test_following_the_gradient_brings_both_sets_together() -> None:
    one, other = normal(20, 4).requires_grad_(), (1 + normal(20, 4, seed=1)).requires_grad_()
    width = mean_squared_distance(torch.cat([one, other]).detach())
    before = maximum_mean_discrepancy(one, other, width)
    steps = torch.autograd.grad(before, [one, other])
    assert all(step.abs().sum() > 0 for step in steps)
    after = maximum_mean_discrepancy(one - steps[0], other - steps[1], width)
    assert after < before


def test_gradients_of_discrepancy_are_right() -> None:
    one, other = normal(3, 2).requires_grad_(), normal(4, 2, seed=1).requires_grad_()
    width = torch.tensor(2.0, dtype=torch.float64)
    assert gradcheck(maximum_mean_discrepancy, (one, other, width))


def test_discrepancy_is_finite_at_extremes() -> None:
    for size in (1e-15, 1e15):
        one = (size * normal(4, 8)).float().requires_grad_()
        value = discrepancy(one, (-size * normal(4, 8, seed=1)).float())
        value.backward()
        assert value.isfinite()
        assert one.grad is not None
        assert one.grad.isfinite().all()
