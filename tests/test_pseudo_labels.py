"""Pseudo-labels, and the cross-entropy of those that are sure."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.joint.pseudo_labels import class_shares, confident_cross_entropy, sure_classes


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_shares_are_frequencies() -> None:
    assert class_shares(torch.tensor([0, 2, 2, 0]), 4).tolist() == [0.5, 0.0, 0.5, 0.0]


def test_aligned_pseudo_labels_equal_their_formula() -> None:
    logits, shares = 2 * normal(7, 3), torch.tensor([0.2, 0.5, 0.3])
    rows = [[math.exp(z) / sum(map(math.exp, row)) for z in row] for row in logits.tolist()]
    means = [sum(column) / 7 for column in zip(*rows, strict=True)]
    classes, accepted = sure_classes(logits, 0.7, shares)
    for row, label, sure in zip(rows, classes.tolist(), accepted.tolist(), strict=True):
        moved = [p * s / m for p, s, m in zip(row, shares.tolist(), means, strict=True)]
        assert label == max(range(3), key=lambda k: moved[k])
        assert sure == (max(moved) / sum(moved) > 0.7)


def test_a_class_that_all_videos_lean_to_is_no_longer_preferred() -> None:
    logits = torch.tensor([[2.0, 0.0], [2.0, 1.5], [2.0, 0.0], [2.0, 1.5]])
    even = torch.tensor([0.5, 0.5])
    assert sure_classes(logits, 0.5)[0].tolist() == [0, 0, 0, 0]
    assert sure_classes(logits, 0.5, even)[0].tolist() == [0, 1, 0, 1]


def test_extreme_predictions_of_one_class_stay_finite() -> None:
    logits = torch.tensor([[1e4, -1e4]] * 3, requires_grad=True)
    loss = confident_cross_entropy(logits, 0.8, torch.tensor([0.0, 1.0]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_prediction_at_the_threshold_is_not_sure() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, math.log(9)]])
    classes, accepted = sure_classes(logits, 0.8)
    assert classes.tolist()[1:] == [0, 1]
    assert accepted.tolist() == [False, False, True]
    assert sure_classes(torch.zeros(1, 2), 0.5)[1].tolist() == [False]


def test_confident_cross_entropy_equals_its_formula() -> None:
    logits = 2 * normal(9, 4)
    largest = logits.softmax(dim=1).max(dim=1).values.tolist()
    sure = [share for share in largest if share > 0.6]
    assert 0 < len(sure) < 9
    expected = -sum(map(math.log, sure)) / len(sure)
    assert confident_cross_entropy(logits, 0.6).item() == pytest.approx(expected)


def test_one_sure_prediction_of_two_has_a_known_value() -> None:
    logits = torch.tensor([[math.log(9), 0.0], [0.0, 0.0]])
    assert confident_cross_entropy(logits, 0.8).item() == pytest.approx(-math.log(0.9))


def test_without_a_sure_prediction_the_loss_is_zero_and_has_a_gradient() -> None:
    logits = torch.zeros(3, 4, requires_grad=True)
    confident_cross_entropy(logits, 0.8).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros(3, 4))


def test_the_gradient_of_confident_cross_entropy_is_right_and_finite_at_extremes() -> None:
    assert gradcheck(lambda x: confident_cross_entropy(x, 0.5), (3 * normal(5, 4)).requires_grad_())
    extreme = torch.tensor([[1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    confident_cross_entropy(extreme, 0.8).backward()
    assert extreme.grad is not None
    assert extreme.grad.isfinite().all()
