import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.noisy_label_losses import (
    balanced_weights,
    kept_cross_entropy,
    mixed_cross_entropy,
    small_losses,
)

EXTREME = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [0.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 2, 1, 0, 2])
OTHERS = torch.tensor([1, 1, 2, 0, 0])
KEPT = torch.tensor([True, False, True, True, False])
SHARE = torch.tensor([0.0, 0.3, 0.5, 0.7, 1.0], dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def surprise(row: list[float], label: int) -> float:
    return math.log(sum(map(math.exp, row))) - row[label]


# Which videos are kept


def test_of_each_label_the_half_of_small_loss_is_kept() -> None:
    losses = torch.tensor([4.0, 0.1, 3.0, 0.2, 2.0, 0.3, 1.0, 0.4])
    labels = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
    kept = small_losses(losses, labels, 0.5)
    assert kept.tolist() == [False, True, False, True, True, False, True, False]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_so_many_videos_of_each_label_are_kept(share: float) -> None:
    losses, labels = normal(60), torch.arange(60).sqrt().long()  # 1, 3, 5, ... videos
    kept = small_losses(losses, labels, share)
    for label in labels.unique():
        own = labels == label
        assert kept[own].sum() == math.floor(share * (own.sum() - 1)) + 1
        in_order = kept[own][losses[own].argsort()].tolist()
        assert in_order == sorted(in_order, reverse=True)


def test_equal_losses_are_kept_together() -> None:
    assert small_losses(torch.zeros(5), torch.zeros(5, dtype=torch.long), 0.5).all()


# How much the kept ones weigh


def test_three_videos_of_a_label_weigh_as_much_as_one_of_another() -> None:
    labels, kept = torch.tensor([1, 4, 1, 1, 4, 1]), torch.tensor([1, 1, 1, 1, 0, 0]).bool()
    weights = balanced_weights(labels, kept, 1.0)
    assert weights.tolist() == pytest.approx([2 / 3, 2, 2 / 3, 2 / 3, 0, 0])


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_balanced_weights_equal_their_formula(balance: float) -> None:
    labels, kept = torch.arange(60).sqrt().long(), normal(60) > 0
    counts = [int((kept & (labels == label)).sum()) for label in labels]
    slow = [count**-balance if own else 0 for count, own in zip(counts, kept, strict=True)]
    mean = sum(slow) / int(kept.sum())
    got = balanced_weights(labels, kept, balance)
    assert got.tolist() == pytest.approx([weight / mean for weight in slow])
    assert got[kept].mean().item() == pytest.approx(1)


def test_without_balance_and_of_one_label_all_kept_videos_weigh_1() -> None:
    assert torch.equal(balanced_weights(LABELS, KEPT, 0.0), KEPT.float())
    assert torch.equal(balanced_weights(torch.ones_like(LABELS), KEPT, 1.0), KEPT.float())


def test_where_none_is_kept_none_weighs_anything() -> None:
    assert not balanced_weights(LABELS, torch.zeros_like(KEPT), 1.0).any()


# Cross-entropy of those that are kept


def test_kept_cross_entropy_equals_its_formula() -> None:
    logits = normal(5, 3)
    terms = [surprise(logits[i].tolist(), int(LABELS[i])) for i in (0, 2, 3)]
    assert kept_cross_entropy(logits, LABELS, KEPT).item() == pytest.approx(sum(terms) / 3)


def test_even_predictions_cost_log_c_however_many_are_kept() -> None:
    for kept in (KEPT, torch.ones(5, dtype=torch.bool)):
        loss = kept_cross_entropy(torch.zeros(5, 3), LABELS, kept)
        assert loss.item() == pytest.approx(math.log(3))


def test_without_a_kept_video_there_is_neither_loss_nor_gradient() -> None:
    logits = normal(5, 3).requires_grad_()
    loss = kept_cross_entropy(logits, LABELS, torch.zeros(5, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_no_gradient_reaches_a_video_that_is_not_kept() -> None:
    logits = normal(5, 3).requires_grad_()
    kept_cross_entropy(logits, LABELS, KEPT).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.any(dim=1), KEPT)


def test_the_kept_count_as_much_as_they_weigh() -> None:
    logits, weights = normal(5, 3), [0.5, 0.0, 2.0, 0.25, 0.0]
    terms = [weights[i] * surprise(logits[i].tolist(), int(LABELS[i])) for i in (0, 2, 3)]
    got = kept_cross_entropy(logits, LABELS, torch.tensor(weights))
    assert got.item() == pytest.approx(sum(terms) / 3)


@pytest.mark.parametrize("weights", [KEPT, SHARE])
def test_gradients_of_kept_cross_entropy_are_right(weights: Tensor) -> None:
    logits = normal(5, 3).requires_grad_()
    assert gradcheck(lambda logits: kept_cross_entropy(logits, LABELS, weights), logits)


# Mixup


def test_mixed_cross_entropy_equals_its_formula() -> None:
    logits = normal(5, 3)
    total = 0.0
    for row, high, low, share in zip(
        logits.tolist(), LABELS.tolist(), OTHERS.tolist(), SHARE.tolist(), strict=True
    ):
        total += share * surprise(row, high) + (1 - share) * surprise(row, low)
    got = mixed_cross_entropy(logits, LABELS, OTHERS, SHARE).item()
    assert got == pytest.approx(total / 5)


def test_a_mixture_predicted_as_mixed_costs_its_entropy() -> None:
    logits = torch.tensor([[0.75, 0.25]]).log()
    loss = mixed_cross_entropy(logits, torch.tensor([0]), torch.tensor([1]), torch.tensor([0.75]))
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert loss.item() == pytest.approx(entropy)


def test_of_equal_labels_the_share_has_no_effect() -> None:
    logits = normal(5, 3)
    values = [
        mixed_cross_entropy(logits, LABELS, LABELS, share).item() for share in (SHARE, 1 - SHARE)
    ]
    assert values[0] == pytest.approx(values[1])


def test_gradients_of_mixed_cross_entropy_are_right() -> None:
    logits = normal(5, 3).requires_grad_()
    assert gradcheck(lambda logits: mixed_cross_entropy(logits, LABELS, OTHERS, SHARE), logits)


def test_both_losses_are_finite_at_extremes() -> None:
    logits = EXTREME.clone().requires_grad_()
    labels = torch.tensor([1, 0, 2])
    mixed = mixed_cross_entropy(logits, labels, labels.flip(0), torch.tensor([0.0, 0.5, 1.0]))
    loss = mixed + kept_cross_entropy(logits, labels, torch.tensor([True, False, True]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
