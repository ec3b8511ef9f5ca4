import math
from itertools import combinations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.consistency_losses import (
    confidences,
    divergences,
    feature_consistency,
    prediction_consistency,
)

EXTREME = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [0.0, 0.0, 0.0], [1e-30, 0.0, -1e-30]])


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def slow_entropy(probabilities: list[float]) -> float:
    return -sum(p * math.log(p) for p in probabilities if p > 0)


def slow_divergence(target: list[float], prediction: list[float]) -> float:
    return sum(t * math.log(t / p) for t, p in zip(target, prediction, strict=True) if t > 0)


# Divergence


def test_a_divergence_from_a_sure_target_is_the_surprise() -> None:
    target, logits = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, math.log(3)]])
    assert divergences(target, logits).item() == pytest.approx(math.log(4))


def test_a_prediction_that_is_its_target_does_not_diverge() -> None:
    logits = normal(5, 4)
    assert divergences(logits.softmax(dim=1), logits).tolist() == pytest.approx([0.0] * 5)


def test_divergences_follow_their_formula() -> None:
    target, logits = normal(6, 4).softmax(dim=1), normal(6, 4, seed=1)
    target[0] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    rows = zip(target.tolist(), logits.softmax(dim=1).tolist(), strict=True)
    expected = [slow_divergence(*row) for row in rows]
    assert divergences(target, logits).tolist() == pytest.approx(expected)


def test_divergences_have_their_gradient_and_leave_the_target_alone() -> None:
    target = normal(3, 4).softmax(dim=1).requires_grad_()
    logits = normal(3, 4, seed=1).requires_grad_()
    assert gradcheck(lambda values: divergences(target.detach(), values), logits)
    divergences(target, logits).sum().backward()
    assert target.grad is None


# Confidence


def test_confidence_is_1_when_sure_0_when_undecided_and_a_half_between_two_of_four() -> None:
    logits = torch.tensor([[100.0, 0, 0, 0], [1.0, 1, 1, 1], [50.0, 50, -50, -50]])
    assert confidences(logits).tolist() == pytest.approx([1, 0, 0.5], abs=1e-6)


# Consistency of predictions


def test_scales_that_agree_are_consistent() -> None:
    logits = normal(5, 4)
    assert prediction_consistency([logits, logits, logits]).item() == pytest.approx(0, abs=1e-12)


def test_two_sure_scales_that_disagree_cost_what_one_can_compute() -> None:
    one, other = torch.tensor([[10.0, 0.0]]), torch.tensor([[0.0, 10.0]])
    sure = 1 / (1 + math.exp(-10))
    weight = 1 - slow_entropy([sure, 1 - sure]) / math.log(2)
    expected = weight * slow_divergence([0.5, 0.5], [sure, 1 - sure])
    assert prediction_consistency([one, other]).item() == pytest.approx(expected, rel=1e-4)


def test_a_scale_that_is_not_sure_is_left_alone() -> None:
    unsure = torch.zeros(1, 3, requires_grad=True)
    prediction_consistency([unsure, torch.tensor([[5.0, 0.0, 0.0]])]).backward()
    assert unsure.grad is not None
    assert unsure.grad.abs().max() < 1e-6


def test_prediction_consistency_follows_its_formula() -> None:
    scales = [2 * normal(5, 4, seed=seed) for seed in range(3)]
    probabilities = [scale.softmax(dim=1).tolist() for scale in scales]
    total = 0.0
    for rows in zip(*probabilities, strict=True):
        average = [sum(values) / 3 for values in zip(*rows, strict=True)]
        for row in rows:
            weight = 1 - slow_entropy(row) / math.log(4)
            total += weight * slow_divergence(average, row) / 15
    assert prediction_consistency(scales).item() == pytest.approx(total)


def test_prediction_consistency_pulls_to_a_constant_average_with_constant_weights() -> None:
    logits, others = normal(3, 4).requires_grad_(), normal(3, 4, seed=1)
    prediction_consistency([logits, others]).backward()
    average = (logits.detach().softmax(dim=1) + others.softmax(dim=1)) / 2
    pull = confidences(logits.detach())[:, None] * (logits.detach().softmax(dim=1) - average) / 6
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, pull)


# Consistency of features


def test_uncorrelated_features_that_agree_are_consistent() -> None:
    features = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    assert feature_consistency([features, 3 * features + 1]).item() == pytest.approx(0, abs=1e-9)


def test_copied_features_cost_what_is_off_the_diagonal() -> None:
    features = torch.tensor([[1.0], [-1.0]], dtype=torch.float64).expand(2, 3)
    loss = feature_consistency([features, features], off_diagonal=0.5)
    assert loss.item() == pytest.approx(0.5 * 0.5 * 6, rel=1e-4)


def test_features_of_opposite_sign_cost_2_each() -> None:
    features = normal(50, 1)
    assert feature_consistency([features, -features]).item() == pytest.approx(2, rel=1e-4)


def test_a_constant_feature_costs_a_half_and_has_a_finite_gradient() -> None:
    constant = torch.full((4, 2), 7.0, requires_grad=True)
    loss = feature_consistency([constant, constant])
    loss.backward()
    assert loss.item() == pytest.approx(2 * 0.5)
    assert constant.grad is not None
    assert constant.grad.isfinite().all()


def test_feature_consistency_follows_its_formula() -> None:
    scales = [normal(7, 3, seed=seed) for seed in range(3)]
    pairs = []
    for one, other in combinations(scales, 2):
        loss = 0.0
        for a in range(3):
            for b in range(3):
                columns = torch.stack([one[:, a], other[:, b]])
                correlation = torch.corrcoef(columns)[0, 1].item()
                loss += (1 - correlation) ** 2 if a == b else 3.9e-3 * correlation**2
        pairs.append(loss / 2)
    assert feature_consistency(scales).item() == pytest.approx(sum(pairs) / 3, rel=1e-4)


def test_feature_consistency_has_its_gradient() -> None:
    one, other = (normal(5, 3, seed=seed).requires_grad_() for seed in range(2))
    assert gradcheck(lambda a, b: feature_consistency([a, b]), (one, other))


# Extremes


def test_extreme_values_keep_losses_and_gradients_finite() -> None:
    logits = EXTREME.clone().requires_grad_()
    other = EXTREME.flip(0)
    losses = [
        divergences(other.softmax(dim=1), logits).sum(),
        prediction_consistency([logits, other]),
        feature_consistency([logits, other]),
    ]
    loss = torch.stack(losses).sum()
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
