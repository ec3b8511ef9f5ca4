import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.adversarial_losses import (
    adversarial_change,
    deception,
    discrimination,
    squared_distance,
)
from pipeline.consistency_losses import divergences


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# The game


def test_who_cannot_tell_pays_for_two_coins_and_the_deceiver_for_one() -> None:
    nothing = torch.zeros(3)
    assert discrimination(nothing, nothing).item() == pytest.approx(2 * math.log(2))
    assert deception(nothing).item() == pytest.approx(math.log(2))


def test_who_tells_all_apart_pays_nothing_and_the_deceiver_dearly() -> None:
    assert discrimination(torch.tensor([50.0]), torch.tensor([-50.0])).item() < 1e-6
    assert deception(torch.tensor([-50.0])).item() == pytest.approx(50)


def test_the_game_follows_its_formulas() -> None:
    real, made = normal(6), normal(4, seed=1)
    of_real, of_made = (
        [1 / (1 + math.exp(-score)) for score in scores.tolist()] for scores in (real, made)
    )
    told = -sum(map(math.log, of_real)) / 6 - sum(math.log(1 - d) for d in of_made) / 4
    assert discrimination(real, made).item() == pytest.approx(told)
    assert deception(made).item() == pytest.approx(-sum(map(math.log, of_made)) / 4)


def test_the_game_has_its_gradients() -> None:
    real, made = (normal(4, seed=seed).requires_grad_() for seed in range(2))
    assert gradcheck(discrimination, (real, made))
    assert gradcheck(deception, made)


def test_extreme_scores_keep_value_and_gradient_finite() -> None:
    scores = torch.tensor([1e30, -1e30, 0.0], requires_grad=True)
    loss = discrimination(scores, scores) + deception(scores)
    loss.backward()
    assert loss.isfinite()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


# Distance from the origin


def test_the_distance_is_that_of_all_weights_together() -> None:
    weights = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor(5.0)}
    origin = {"a": torch.tensor([[1.0, 0.0]]), "b": torch.tensor(2.0)}
    assert squared_distance(weights, origin).item() == 4 + 9
    assert squared_distance(weights, weights).item() == 0


def test_the_distance_pulls_the_weights_and_not_the_origin() -> None:
    weight, start = normal(3).requires_grad_(), normal(3, seed=1).requires_grad_()
    squared_distance({"w": weight}, {"w": start}).backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, 2 * (weight - start).detach())
    assert start.grad is None
    assert gradcheck(lambda w: squared_distance({"w": w}, {"w": start}), weight)


# The adversarial change


def moved(change: Tensor, videos: Tensor, layer: Tensor) -> Tensor:
    """How far a linear network's predictions move, summed over the videos."""
    target = (videos @ layer).softmax(dim=1)
    return divergences(target, (videos + change) @ layer).sum()


def test_the_change_has_its_length_and_is_constant() -> None:
    videos, layer = normal(4, 5), normal(5, 3, seed=1).requires_grad_()
    change = adversarial_change(
        lambda r: moved(r, videos, layer), normal(4, 5, seed=2), torch.tensor(0.1)
    )
    assert change.norm(dim=1).tolist() == pytest.approx([0.1] * 4)
    assert not change.requires_grad


def test_the_change_follows_the_gradient_by_finite_differences() -> None:
    videos, layer = normal(2, 3), normal(3, 4, seed=1)
    direction, length, step = normal(2, 3, seed=2), torch.tensor(0.1), 1e-6
    begin = 0.1 * direction / direction.norm(dim=1, keepdim=True)
    gradient = torch.zeros(2, 3, dtype=torch.float64)
    for video in range(2):
        for entry in range(3):
            nudge = torch.zeros(2, 3, dtype=torch.float64)
            nudge[video, entry] = step
            ends = [moved(begin + sign * nudge, videos, layer) for sign in (1, -1)]
            gradient[video, entry] = (ends[0] - ends[1]) / (2 * step)
    expected = 0.1 * gradient / gradient.norm(dim=1, keepdim=True)
    change = adversarial_change(lambda r: moved(r, videos, layer), direction, length)
    torch.testing.assert_close(change, expected, rtol=1e-5, atol=1e-8)


def test_the_change_finds_the_one_feature_that_matters() -> None:
    layer = torch.zeros(4, 3, dtype=torch.float64)
    layer[1] = torch.tensor([1.0, -1.0, 0.0])
    change = adversarial_change(
        lambda r: moved(r, normal(6, 4), layer), normal(6, 4, seed=1), torch.tensor(1.0)
    )
    assert change[:, 1].abs().tolist() == pytest.approx([1.0] * 6)


def test_the_change_moves_predictions_more_than_a_random_one() -> None:
    videos, layer, random = normal(50, 20), normal(20, 5, seed=1), normal(50, 20, seed=2)
    change = adversarial_change(lambda r: moved(r, videos, layer), random, torch.tensor(0.1))
    plain = 0.1 * random / random.norm(dim=1, keepdim=True)
    assert moved(change, videos, layer) > 2 * moved(plain, videos, layer)


def test_a_prediction_that_does_not_move_is_not_changed() -> None:
    videos, layer = normal(3, 4), torch.zeros(4, 2, dtype=torch.float64)
    change = adversarial_change(
        lambda r: moved(r, videos, layer), normal(3, 4, seed=1), torch.tensor(0.1)
    )
    assert torch.equal(change, torch.zeros(3, 4, dtype=torch.float64))


def test_a_tiny_gradient_still_has_a_direction() -> None:
    videos, slope = torch.zeros(2, 3), torch.tensor([0.0, 1e-30, 0.0])
    change = adversarial_change(
        lambda r: ((videos + r) * slope).sum(), torch.ones(2, 3), torch.tensor(0.5)
    )
    assert change.tolist() == [[0, 0.5, 0], [0, 0.5, 0]]


def test_the_change_is_the_same_under_vmap_while_the_layer_is_trained() -> None:
    videos, directions = normal(3, 4, 5), normal(3, 4, 5, seed=2)
    layers = normal(3, 5, 2, seed=1).requires_grad_()

    def one(videos: Tensor, direction: Tensor, layer: Tensor) -> tuple[Tensor, Tensor]:
        constant = layer.detach()
        change = adversarial_change(
            lambda r: moved(r, videos, constant), direction, torch.tensor(0.3)
        )
        return change, moved(change, videos, layer)

    changes, losses = torch.vmap(one)(videos, directions, layers)
    losses.sum().backward()
    assert layers.grad is not None
    for run in range(3):
        layer = layers[run].detach().requires_grad_()
        change, loss = one(videos[run], directions[run], layer)
        loss.backward()
        torch.testing.assert_close(changes[run], change)
        torch.testing.assert_close(layers.grad[run], layer.grad)
