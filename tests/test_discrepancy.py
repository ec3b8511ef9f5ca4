"""Distances between domains and between classifiers."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.joint.discrepancy import WIDTHS, classifier_discrepancy, maximum_mean_discrepancy

LOSSES = [maximum_mean_discrepancy, classifier_discrepancy]


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_there_are_twelve_kernels_below_two_to_the_eighth() -> None:
    assert len(WIDTHS) == 12
    assert WIDTHS[0] == 2**-8
    assert 2**7 < WIDTHS[-1] < 2**8


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_equal_has_no_discrepancy(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert loss(normal(5, 3), normal(5, 3)).item() == pytest.approx(0, abs=1e-12)
    assert loss(torch.ones(4, 3), torch.ones(4, 3)).item() == 0


def test_two_points_have_a_known_discrepancy() -> None:
    got = maximum_mean_discrepancy(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]))
    # their mean squared distance, pairs of a point with itself included, is 25 / 2
    assert got.item() == pytest.approx(sum(2 - 2 * math.exp(-2 / width) for width in WIDTHS))


def test_opposite_sure_classifiers_differ_most() -> None:
    one, other = torch.tensor([[100.0, 0.0, 0.0]]), torch.tensor([[0.0, 100.0, 0.0]])
    assert classifier_discrepancy(one, other).item() == pytest.approx(2 / 3)


def test_maximum_mean_discrepancy_equals_its_formula() -> None:
    one, other = normal(4, 3), 2 * normal(5, 3, seed=1) + 1
    rows = [*one.tolist(), *other.tolist()]

    def squared(x: list[float], y: list[float]) -> float:
        return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))

    unit = sum(squared(x, y) for x in rows for y in rows) / 81

    def kernel(x: list[float], y: list[float]) -> float:
        return sum(math.exp(-squared(x, y) / (width * unit)) for width in WIDTHS)

    expected = sum(kernel(x, y) for x in rows[:4] for y in rows[:4]) / 16
    expected += sum(kernel(x, y) for x in rows[4:] for y in rows[4:]) / 25
    expected -= 2 * sum(kernel(x, y) for x in rows[:4] for y in rows[4:]) / 20
    assert maximum_mean_discrepancy(one, other).item() == pytest.approx(expected)


def test_classifier_discrepancy_equals_its_formula() -> None:
    one, other = normal(4, 3), normal(4, 3, seed=1)
    total = 0.0
    for row, same in zip(one.tolist(), other.tolist(), strict=True):
        p, q = ([math.exp(z) / sum(map(math.exp, r)) for z in r] for r in (row, same))
        total += sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 12
    assert classifier_discrepancy(one, other).item() == pytest.approx(total)


def test_the_unit_of_the_features_does_not_matter() -> None:
    one, other = normal(4, 3), normal(5, 3, seed=1) + 1
    small, large = (maximum_mean_discrepancy(u * one, u * other) for u in (0.01, 100.0))
    torch.testing.assert_close(small, large)


def test_farther_samples_have_a_larger_discrepancy() -> None:
    one, other = normal(40, 3), normal(50, 3, seed=1)
    values = [maximum_mean_discrepancy(one, other + move).item() for move in (0.0, 1.0, 3.0)]
    assert values == sorted(values)


def test_gradients_of_discrepancies_are_right() -> None:
    one, other = normal(4, 3).requires_grad_(), normal(4, 3, seed=1).requires_grad_()
    assert gradcheck(classifier_discrepancy, (one, other))
    # the unit is a constant; opposite points on a circle keep it the same wherever the other is

    def along_a_circle(angle: Tensor) -> Tensor:
        point = torch.stack([angle.cos(), angle.sin()]).view(1, 2)
        ring = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
        return maximum_mean_discrepancy(point, ring)

    assert gradcheck(along_a_circle, torch.tensor(0.3, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("loss", LOSSES)
def test_extremes_keep_value_and_gradient_finite(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    one = torch.tensor([[1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    value = loss(one, torch.tensor([[-1e4, 1e4], [1e-30, 0.0]]))
    value.backward()
    assert value.isfinite()
    assert one.grad is not None
    assert one.grad.isfinite().all()
