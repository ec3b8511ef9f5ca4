import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.weighted_losses import (
    agreement,
    reliabilities,
    reliable_contrast,
    weighted_cross_entropy,
)

EXTREME = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [0.0, 0.0, 0.0], [1e-30, 0.0, -1e-30]])


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def directions(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(normal(*shape, seed=seed), dim=1)


# Weighted cross-entropy


def test_an_even_prediction_of_half_weight_costs_half_of_log_c() -> None:
    got = weighted_cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), torch.tensor([0.5, 0.5]))
    assert got.item() == pytest.approx(math.log(4) / 2)


def test_videos_of_weight_0_cost_nothing_and_move_nothing() -> None:
    logits = normal(3, 4).requires_grad_()
    got = weighted_cross_entropy(logits, torch.tensor([0, 1, 2]), torch.zeros(3))
    got.backward()
    assert got.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_equal_weights_of_1_are_plain_cross_entropy() -> None:
    logits, labels = normal(5, 3), torch.tensor([0, 2, 1, 1, 0])
    got = weighted_cross_entropy(logits, labels, torch.ones(5))
    torch.testing.assert_close(got, F.cross_entropy(logits, labels))


def test_weighted_cross_entropy_equals_its_formula() -> None:
    logits, labels, weights = normal(4, 3), [2, 0, 1, 1], [0.1, 0.0, 1.0, 3.0]
    slow = 0.0
    for row, label, weight in zip(logits.tolist(), labels, weights, strict=True):
        slow -= weight * math.log(math.exp(row[label]) / sum(map(math.exp, row))) / 4
    got = weighted_cross_entropy(logits, torch.tensor(labels), torch.tensor(weights))
    assert got.item() == pytest.approx(slow)


def test_gradient_of_weighted_cross_entropy_is_right() -> None:
    labels, weights = torch.tensor([2, 0, 1]), torch.tensor([0.1, 0.0, 2.0], dtype=torch.float64)
    logits = normal(3, 3).requires_grad_()
    assert gradcheck(lambda z: weighted_cross_entropy(z, labels, weights), logits)


def test_weighted_cross_entropy_of_extreme_predictions_is_finite() -> None:
    logits = EXTREME.clone().requires_grad_()
    weighted_cross_entropy(logits, torch.tensor([1, 1, 0, 2]), torch.rand(4)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


# Agreement


def test_agreement_is_a_half_of_the_same_and_0_119_of_opposites() -> None:
    one, other = torch.tensor([[100.0, 0.0], [1.0, 2.0]]), torch.tensor([[0.0, 100.0], [1.0, 2.0]])
    assert agreement(one, other).tolist() == pytest.approx([1 - 1 / (1 + math.exp(-2)), 0.5])


def test_agreement_equals_its_formula_and_is_a_constant() -> None:
    one, other = normal(4, 3).requires_grad_(), normal(4, 3, seed=1)
    got = agreement(one, other)
    assert not got.requires_grad
    p, q = one.softmax(dim=1).tolist(), other.softmax(dim=1).tolist()
    for value, left, right in zip(got.tolist(), p, q, strict=True):
        distance = sum(abs(a - b) for a, b in zip(left, right, strict=True))
        assert value == pytest.approx(1 - 1 / (1 + math.exp(-distance)))


def test_extreme_predictions_agree_within_the_bounds() -> None:
    got = agreement(EXTREME, EXTREME.flip(0))
    assert ((got > 0.119) & (got <= 0.5)).all()


# Reliabilities


def test_a_certain_prediction_is_reliable_1_1_and_an_even_one_0_9() -> None:
    got = reliabilities(torch.tensor([[100.0, 0.0, 0.0], [3.0, 3.0, 3.0]]))
    assert got.tolist() == pytest.approx([1.1, 0.9])


def test_reliabilities_equal_their_formula_and_are_constants() -> None:
    logits = (3 * normal(6, 4)).requires_grad_()
    got = reliabilities(logits)
    assert not got.requires_grad
    for value, row in zip(got.tolist(), logits.softmax(dim=1).tolist(), strict=True):
        entropy = -sum(p * math.log(p) for p in row)
        assert value == pytest.approx(min(max(1.1 - entropy / math.log(4), 0.9), 1.1))


def test_reliabilities_of_extreme_predictions_are_within_the_bounds() -> None:
    got = reliabilities(EXTREME)
    assert ((got >= 0.9) & (got <= 1.1)).all()


# Contrast


def test_a_met_key_among_others_at_right_angles_costs_a_known_amount() -> None:
    basis, ones = torch.eye(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    got = reliable_contrast(basis, basis, ones, torch.eye(4, dtype=torch.bool), 0.1)
    assert got.item() == pytest.approx(math.log(1 + 3 * math.exp(-10)))


def test_no_key_but_ones_own_costs_nothing() -> None:
    everything = torch.ones(3, 5, dtype=torch.bool)
    got = reliable_contrast(
        directions(3, 4), directions(5, 4, seed=1), torch.ones(5), everything, 1
    )
    assert got.item() == pytest.approx(0, abs=1e-12)


def test_a_key_of_reliability_0_does_not_count() -> None:
    queries, keys = directions(3, 4), directions(6, 4, seed=1)
    trust = torch.tensor([1.0, 1.1, 0.9, 1.0, 0.0, 0.0], dtype=torch.float64)
    own = torch.arange(6) == torch.arange(3)[:, None]
    whole = reliable_contrast(queries, keys, trust, own, 0.07)
    torch.testing.assert_close(
        whole, reliable_contrast(queries, keys[:4], trust[:4], own[:, :4], 0.07)
    )


def test_contrast_equals_its_formula() -> None:
    queries, keys, tau = directions(3, 4), directions(5, 4, seed=1), 0.5
    trust = torch.tensor([1.0, 1.1, 0.9, 0.95, 1.0], dtype=torch.float64)
    owned = [[0, 3], [1], [2, 4]]
    own = torch.tensor([[j in mine for j in range(5)] for mine in owned])
    slow = 0.0
    for query, mine in zip(queries, owned, strict=True):
        scores = [r * math.exp(query @ key / tau) for key, r in zip(keys, trust, strict=True)]
        slow -= math.log(sum(scores[j] for j in mine) / sum(scores)) / 3
    assert reliable_contrast(queries, keys, trust, own, tau).item() == pytest.approx(slow)


def test_gradient_of_contrast_is_right_also_with_missing_keys() -> None:
    trust = torch.tensor([1.0, 1.1, 0.9, 0.0], dtype=torch.float64)
    own = torch.arange(4) == torch.arange(3)[:, None]
    queries, keys = directions(3, 5).requires_grad_(), directions(4, 5, seed=1).requires_grad_()
    assert gradcheck(lambda q, k: reliable_contrast(q, k, trust, own, 0.5), (queries, keys))


def test_contrast_at_extremes_is_finite() -> None:
    queries = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).requires_grad_()
    keys = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    own = torch.eye(2, 3, dtype=torch.bool)
    got = reliable_contrast(queries, keys, torch.tensor([0.9, 1.1, 0.0]), own, 1e-3)
    got.backward()
    assert got.isfinite()
    assert queries.grad is not None
    assert queries.grad.isfinite().all()
