import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from pipeline.losses import (
    centroid_pseudo_labels,
    entropies,
    entropy_split,
    information_maximisation,
    marginal_entropy,
    mix,
    mixing_factors,
    multimodal_relative_alignment,
    temporal_relative_alignment,
)

EXTREME = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [0.0, 0.0, 0.0], [1e-30, 0.0, -1e-30]])


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def stochastic(*shape: int, seed: int = 0) -> Tensor:
    return (2 * normal(*shape, seed=seed)).softmax(dim=-1)


def slow_entropy(probabilities: list[float]) -> float:
    return -sum(p * math.log(p) for p in probabilities if p > 0)


# Entropies and information maximisation


def test_entropies_know_certain_even_and_fair_coin() -> None:
    logits = torch.tensor([[100.0, 0.0, 0.0], [2.0, 2.0, 2.0], [50.0, 50.0, -100.0]])
    assert entropies(logits).tolist() == pytest.approx([0, math.log(3), math.log(2)], abs=1e-6)


def test_confident_and_balanced_reaches_the_minimum() -> None:
    assert information_maximisation(100 * torch.eye(4)).item() == pytest.approx(-math.log(4))


def test_uniform_predictions_score_zero() -> None:
    assert information_maximisation(torch.zeros(6, 4)).item() == pytest.approx(0, abs=1e-6)


def test_all_on_one_class_scores_zero() -> None:
    logits = torch.tensor([[100.0, 0.0, 0.0]] * 5)
    assert information_maximisation(logits).item() == pytest.approx(0, abs=1e-6)


def test_a_single_video_scores_zero() -> None:
    assert information_maximisation(normal(1, 5)).item() == pytest.approx(0, abs=1e-12)


def test_entropies_and_information_maximisation_equal_their_formulas() -> None:
    logits = 2 * normal(7, 4)
    probabilities = [
        [math.exp(z) / sum(map(math.exp, row)) for z in row] for row in logits.tolist()
    ]
    slow = [slow_entropy(row) for row in probabilities]
    marginal = slow_entropy([sum(column) / 7 for column in zip(*probabilities, strict=True)])
    assert entropies(logits).tolist() == pytest.approx(slow)
    assert marginal_entropy(logits).item() == pytest.approx(marginal)
    assert information_maximisation(logits).item() == pytest.approx(sum(slow) / 7 - marginal)


@pytest.mark.parametrize("loss", [entropies, marginal_entropy, information_maximisation])
def test_gradients_of_predictions_are_right(loss: Callable[[Tensor], Tensor]) -> None:
    assert gradcheck(loss, normal(5, 4).requires_grad_())


@pytest.mark.parametrize("loss", [entropies, marginal_entropy, information_maximisation])
def test_extreme_predictions_keep_value_and_gradient_finite(
    loss: Callable[[Tensor], Tensor],
) -> None:
    logits = EXTREME.clone().requires_grad_()
    value = loss(logits).sum()
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_following_the_gradient_makes_predictions_surer_and_more_even() -> None:
    logits = (normal(64, 4) + torch.tensor([1.0, 0.0, 0.0, 0.0])).requires_grad_()
    information_maximisation(logits).backward()
    assert logits.grad is not None
    after = (logits - 10 * logits.grad).detach()
    assert entropies(after).mean() < entropies(logits).mean()
    assert marginal_entropy(after) > marginal_entropy(logits)


# Entropy split


def test_the_surer_half_comes_first_in_order_of_entropy() -> None:
    high, low = entropy_split(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 9.0], [1.0, 0.0]]))
    assert high.tolist() == [2, 1]
    assert low.tolist() == [3, 0]


def test_the_odd_video_is_of_low_confidence() -> None:
    high, low = entropy_split(normal(7, 3))
    assert (len(high), len(low)) == (3, 4)
    assert sorted([*high.tolist(), *low.tolist()]) == list(range(7))
    assert entropies(normal(7, 3))[high].max() <= entropies(normal(7, 3))[low].min()


def test_equal_entropies_keep_the_order_of_the_videos() -> None:
    high, low = entropy_split(torch.zeros(100, 3))
    assert [*high.tolist(), *low.tolist()] == list(range(100))


# Pseudo-labels


def slow_labels(
    features: Tensor, probabilities: Tensor, rounds: int, append_one: bool
) -> list[int]:
    n, c = probabilities.shape
    rows = [[*row, 1.0] if append_one else row for row in features.tolist()]
    rows = [[x / math.hypot(*row) for x in row] for row in rows]
    weights = probabilities.tolist()
    labels = [max(range(c), key=lambda k: row[k]) for row in weights]
    for _ in range(rounds):
        cosines: dict[int, list[float]] = {}
        for k in sorted(set(labels)):
            total = sum(weights[i][k] for i in range(n))
            centroid = [
                sum(weights[i][k] * x for i, x in enumerate(column)) / total
                for column in zip(*rows, strict=True)
            ]
            cosines[k] = [
                sum(a * b for a, b in zip(row, centroid, strict=True)) / math.hypot(*centroid)
                for row in rows
            ]
        labels = [max(cosines, key=lambda k: cosines[k][i]) for i in range(n)]
        weights = [[float(label == k) for k in range(c)] for label in labels]
    return labels


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("append_one", [True, False])
def test_pseudo_labels_equal_their_formula(rounds: int, append_one: bool) -> None:
    for seed in range(5):
        features, probabilities = normal(20, 3, seed=seed), stochastic(20, 5, seed=seed + 50)
        got = centroid_pseudo_labels(features, probabilities, rounds=rounds, append_one=append_one)
        assert got.tolist() == slow_labels(features, probabilities, rounds, append_one)


def test_by_default_there_are_two_rounds_and_a_one_is_appended() -> None:
    features, probabilities = normal(200, 3), stochastic(200, 5, seed=50)
    default = centroid_pseudo_labels(features, probabilities)
    for rounds, append_one in ((1, True), (2, False), (2, True)):
        labels = centroid_pseudo_labels(
            features, probabilities, rounds=rounds, append_one=append_one
        )
        assert torch.equal(labels, default) == ((rounds, append_one) == (2, True))


def test_a_wrong_prediction_among_separate_blobs_is_mended() -> None:
    blob = torch.arange(20) % 2
    features = torch.tensor([[5.0, 0.0], [0.0, 5.0]])[blob] + 0.3 * normal(20, 2).float()
    predicted = blob.clone()
    predicted[4] = 1
    probabilities = 0.8 * torch.eye(2)[predicted] + 0.1
    assert torch.equal(centroid_pseudo_labels(features, probabilities), blob)


def test_a_class_that_nobody_is_predicted_as_gets_no_video() -> None:
    features = torch.eye(3).repeat(4, 1)
    probabilities = torch.tensor([[0.6, 0.0, 0.4], [0.6, 0.0, 0.4], [0.0, 0.6, 0.4]]).repeat(4, 1)
    labels = centroid_pseudo_labels(features, probabilities)
    assert set(labels.tolist()) == {0, 1}


def test_a_single_video_keeps_its_prediction() -> None:
    assert centroid_pseudo_labels(torch.ones(1, 3), torch.tensor([[0.2, 0.8]])).tolist() == [1]


def test_features_of_zeros_and_of_great_length_get_labels() -> None:
    features = torch.tensor([[0.0, 0.0], [1e18, 0.0], [0.0, 1e-18]])
    labels = centroid_pseudo_labels(features, torch.eye(3))
    assert labels.dtype == torch.int64
    assert labels[1] == 1


# Mixing


def test_mixing_factors_know_their_ends_and_their_middle() -> None:
    clips, target = mixing_factors(torch.tensor([0.5, 0.0, 1.0]), tau=0.9)
    assert clips.tolist() == pytest.approx([0.5, 0.7311, 0.7311], abs=1e-4)
    assert target.tolist() == pytest.approx([0.5, 0.7523, 0.7523], abs=1e-4)


def test_mixing_factors_equal_the_softmax_of_the_pair() -> None:
    draws = torch.linspace(0, 1, 41, dtype=torch.float64)
    clips, target = mixing_factors(draws, tau=0.9)
    pair = torch.stack([draws, 1 - draws], dim=1)
    torch.testing.assert_close(clips, pair.softmax(dim=1).amax(dim=1))
    torch.testing.assert_close(target, (pair / 0.9).softmax(dim=1).amax(dim=1))


def test_the_target_leans_to_the_surer_video_unless_tau_is_one() -> None:
    draws = torch.linspace(0, 1, 41)
    clips, target = mixing_factors(draws, tau=0.9)
    assert (target[draws != 0.5] > clips[draws != 0.5]).all()
    assert clips.min() >= 0.5
    assert (target - clips).max() <= 0.0214
    assert torch.equal(*mixing_factors(draws, tau=1.0))


def test_a_mixture_has_the_share_of_the_surer_video() -> None:
    mixed = mix(torch.ones(2, 3, 4), torch.zeros(2, 3, 4), torch.tensor([0.6, 1.0]))
    assert torch.equal(mixed[0], torch.full((3, 4), 0.6))
    assert torch.equal(mixed[1], torch.ones(3, 4))


def test_mixed_relations_are_distributions() -> None:
    mixed = mix(stochastic(3, 2, 4, 4), stochastic(3, 2, 4, 4, seed=1), torch.rand(3).double())
    torch.testing.assert_close(mixed.sum(dim=-1), torch.ones(3, 2, 4, dtype=torch.float64))


def test_gradients_of_mixing_are_right() -> None:
    high, low = normal(3, 2, 2).requires_grad_(), normal(3, 2, 2, seed=1).requires_grad_()
    assert gradcheck(mix, (high, low, torch.rand(3).double()))


# Multimodal relative alignment


def three(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    rgb, flow, fused = normal(3, 4, 6, seed=seed)
    return rgb, flow, fused


SHARE = torch.tensor([0.5, 0.6, 0.7, 0.75], dtype=torch.float64)


def test_multimodal_alignment_of_unit_distance_is_one_a_feature() -> None:
    ones, zeros = [torch.ones(2, 8)] * 3, [torch.zeros(2, 8)] * 3
    loss = multimodal_relative_alignment(ones, zeros, zeros, torch.tensor([0.5, 0.7]))
    assert loss.item() == 3
    halfway = multimodal_relative_alignment(zeros, ones, zeros, torch.tensor([0.5, 0.5]))
    assert halfway.item() == 3 * 0.25


def test_multimodal_alignment_vanishes_on_its_target() -> None:
    target = [mix(high, low, SHARE) for high, low in zip(three(1), three(2), strict=True)]
    assert multimodal_relative_alignment(target, three(1), three(2), SHARE).item() == 0


def test_multimodal_alignment_equals_its_formula() -> None:
    terms = []
    for mixed, high, low in zip(three(0), three(1), three(2), strict=True):
        for n, share in enumerate(SHARE.tolist()):
            target = [share * h + (1 - share) * w for h, w in zip(high[n], low[n], strict=True)]
            squares = [(float(m) - float(t)) ** 2 for m, t in zip(mixed[n], target, strict=True)]
            terms.append(sum(squares) / 6)
    loss = multimodal_relative_alignment(three(0), three(1), three(2), SHARE)
    assert loss.item() == pytest.approx(sum(terms) / 4)


def test_gradients_of_multimodal_alignment_are_right() -> None:
    mixed = normal(3, 4, 6).requires_grad_()
    assert gradcheck(
        lambda mixed: multimodal_relative_alignment(mixed.unbind(), three(1), three(2), SHARE),
        mixed,
    )


def test_no_gradient_of_multimodal_alignment_reaches_the_real_videos() -> None:
    mixed, high, low = (normal(3, 4, 6, seed=seed).requires_grad_() for seed in range(3))
    multimodal_relative_alignment(mixed.unbind(), high.unbind(), low.unbind(), SHARE).backward()
    assert mixed.grad is not None
    assert high.grad is None
    assert low.grad is None


def test_multimodal_alignment_is_finite_at_extremes() -> None:
    huge, zeros = [torch.full((2, 8), 1e15)] * 3, [torch.zeros(2, 8)] * 3
    assert multimodal_relative_alignment(huge, zeros, zeros, torch.tensor([0.5, 0.7])).isfinite()


# Temporal relative alignment


def test_temporal_alignment_of_a_sure_target_and_a_fair_coin_is_log_two_a_row() -> None:
    sure, coin = torch.eye(2).expand(1, 2, 3, 2, 2), torch.full((1, 2, 3, 2, 2), 0.5)
    loss = temporal_relative_alignment(coin, sure, sure, torch.tensor([0.5]))
    assert loss.item() == pytest.approx(2 * 3 * 2 * math.log(2))  # branches, layers, rows


def test_temporal_alignment_vanishes_on_its_target() -> None:
    high, low = stochastic(4, 2, 3, 5, 5, seed=1), stochastic(4, 2, 3, 5, 5, seed=2)
    loss = temporal_relative_alignment(mix(high, low, SHARE), high, low, SHARE)
    assert loss.item() == pytest.approx(0, abs=1e-15)
    assert temporal_relative_alignment(high, high, high, SHARE).item() == pytest.approx(
        0, abs=1e-15
    )


def test_temporal_alignment_is_never_negative() -> None:
    for seed in range(20):
        mixed, high, low = (stochastic(4, 2, 3, 5, 5, seed=3 * seed + k) for k in range(3))
        assert temporal_relative_alignment(mixed, high, low, SHARE) > 0


def test_temporal_alignment_equals_its_formula() -> None:
    mixed, high, low = (stochastic(4, 2, 3, 5, 5, seed=seed) for seed in range(3))
    total = 0.0
    for n, share in enumerate(SHARE.tolist()):
        rows = zip(*(x[n].reshape(-1, 5).tolist() for x in (mixed, high, low)), strict=True)
        for mixed_row, high_row, low_row in rows:
            for m, h, w in zip(mixed_row, high_row, low_row, strict=True):
                target = share * h + (1 - share) * w
                total += target * math.log(target / m)
    got = temporal_relative_alignment(mixed, high, low, SHARE).item()
    assert got == pytest.approx(total / 4)


def test_gradients_of_temporal_alignment_are_right() -> None:
    high, low = stochastic(4, 2, 3, 3, seed=1), stochastic(4, 2, 3, 3, seed=2)
    scores = normal(4, 2, 3, 3).requires_grad_()
    assert gradcheck(
        lambda scores: temporal_relative_alignment(scores.softmax(dim=-1), high, low, SHARE),
        scores,
    )


def test_following_its_gradient_lowers_temporal_alignment() -> None:
    high, low = stochastic(4, 2, 3, 3, seed=1), stochastic(4, 2, 3, 3, seed=2)
    scores = normal(4, 2, 3, 3).requires_grad_()
    loss = temporal_relative_alignment(scores.softmax(dim=-1), high, low, SHARE)
    loss.backward()
    assert scores.grad is not None
    after = (scores - scores.grad).softmax(dim=-1)
    assert temporal_relative_alignment(after, high, low, SHARE) < loss


def test_no_gradient_of_temporal_alignment_reaches_the_real_videos() -> None:
    mixed, high, low = (stochastic(4, 2, 3, 3, seed=seed).requires_grad_() for seed in range(3))
    temporal_relative_alignment(mixed, high, low, SHARE).backward()
    assert mixed.grad is not None
    assert high.grad is None
    assert low.grad is None


def test_temporal_alignment_is_finite_where_relations_are_zero() -> None:
    sure = torch.eye(3).expand(2, 3, 3)
    other = sure.flip(-1).clone().requires_grad_()
    loss = temporal_relative_alignment(other, sure, sure, torch.tensor([0.5, 0.7]))
    loss.backward()
    assert other.grad is not None
    assert other.grad.isfinite().all()
    assert loss.item() == pytest.approx(2 * -math.log(1e-8), rel=1e-4)
