import math

import pytest
import torch

from pipeline import metrics
from pipeline.metrics import (
    accuracy,
    confusion_matrix,
    expected_calibration_error,
    label_free_scores,
    mean_and_deviation,
    mean_class_accuracy,
    per_class_accuracy,
    soft_neighbourhood_density,
    wilson_interval,
)

LABELS = torch.tensor([0, 0, 0, 1, 1, 3])
PREDICTED = torch.tensor([0, 0, 1, 1, 3, 3])


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_accuracy_counts_hits() -> None:
    assert accuracy(PREDICTED, LABELS) == pytest.approx(4 / 6)


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    confusion = confusion_matrix(PREDICTED, LABELS, classes=4)
    assert confusion.tolist() == [[2, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_a_class_without_videos_has_no_accuracy_and_does_not_count() -> None:
    confusion = confusion_matrix(PREDICTED, LABELS, classes=4)
    shares = per_class_accuracy(confusion)
    assert shares[[0, 1, 3]].tolist() == pytest.approx([2 / 3, 1 / 2, 1])
    assert shares[2].isnan()
    assert mean_class_accuracy(confusion) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_predictions_and_labels_must_be_equally_many_and_some() -> None:
    with pytest.raises(ValueError, match="6 and 5"):
        accuracy(PREDICTED, LABELS[:5])
    with pytest.raises(ValueError, match="0 and 0"):
        accuracy(PREDICTED[:0], LABELS[:0])


def test_a_class_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 3\); found 0 to 3"):
        confusion_matrix(PREDICTED.clamp_max(2), LABELS, classes=3)
    with pytest.raises(ValueError, match="predictions must lie"):
        confusion_matrix(PREDICTED - 1, LABELS, classes=4)


def test_the_wilson_interval_of_half_of_a_hundred() -> None:
    low, high = wilson_interval(50, 100)
    assert (low, high) == pytest.approx((0.40383, 0.59617), abs=1e-5)


def test_the_bounds_of_the_wilson_interval_solve_its_equation() -> None:
    for correct, total in ((0, 5), (3, 5), (5, 5), (332, 360)):
        share = correct / total
        for bound in wilson_interval(correct, total):
            distance = 1.959964**2 * bound * (1 - bound) / total
            assert (bound - share) ** 2 == pytest.approx(distance, abs=1e-8)


def test_the_wilson_interval_stays_within_its_range() -> None:
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    with pytest.raises(ValueError, match="7 of 6"):
        wilson_interval(7, 6)
    with pytest.raises(ValueError, match="0 of 0"):
        wilson_interval(0, 0)


def test_mean_and_sample_deviation() -> None:
    assert mean_and_deviation([1.0, 2.0, 4.0]) == pytest.approx((7 / 3, math.sqrt(7 / 3)))
    mean, deviation = mean_and_deviation([0.5])
    assert mean == 0.5
    assert math.isnan(deviation)


def test_neighbourhoods_of_equal_predictions_are_as_dense_as_can_be() -> None:
    assert soft_neighbourhood_density(torch.zeros(9, 3)) == pytest.approx(math.log(8))


def test_tight_clusters_have_the_density_of_their_size() -> None:
    logits = 100 * torch.eye(3).repeat(5, 1)
    assert soft_neighbourhood_density(logits) == pytest.approx(math.log(4), abs=1e-5)


def test_two_predictions_have_one_neighbour_each() -> None:
    assert soft_neighbourhood_density(normal(2, 3)) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="found 1"):
        soft_neighbourhood_density(normal(1, 3))


def test_neighbourhood_density_equals_its_formula() -> None:
    logits = 2 * normal(7, 4).double()
    probabilities = logits.softmax(dim=1).tolist()
    total = 0.0
    for i, one in enumerate(probabilities):
        weights = []
        for j, other in enumerate(probabilities):
            if i != j:
                inner = sum(a * b for a, b in zip(one, other, strict=True))
                weights.append(math.exp(inner / math.hypot(*one) / math.hypot(*other) / 0.05))
        total -= sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights)
    assert soft_neighbourhood_density(logits) == pytest.approx(total / 7)


def test_neighbourhood_density_does_not_depend_on_how_many_rows_are_done_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logits = 2 * normal(7, 4).double()
    at_once = soft_neighbourhood_density(logits)
    monkeypatch.setattr(metrics, "ROWS_AT_ONCE", 3)
    assert soft_neighbourhood_density(logits) == pytest.approx(at_once, rel=1e-12)


def test_a_single_prediction_has_scores_too() -> None:
    scores = label_free_scores(torch.tensor([[2.0, 0.0, 0.0]]))
    assert scores["soft_neighbourhood_density"] == 0
    assert scores["predicted_classes"] == 1


def test_label_free_scores_of_sure_and_balanced_predictions() -> None:
    scores = label_free_scores(100 * torch.eye(4).repeat(3, 1))
    assert scores["mean_entropy"] == pytest.approx(0, abs=1e-6)
    assert scores["marginal_entropy"] == pytest.approx(math.log(4))
    assert scores["information_maximisation"] == pytest.approx(-math.log(4))
    assert scores["soft_neighbourhood_density"] == pytest.approx(math.log(2), abs=1e-4)
    assert scores["predicted_classes"] == 4


def test_calibration_error_is_the_gap_of_confidence_and_accuracy() -> None:
    logits = torch.tensor([[0.8, 0.2]]).log().repeat(10, 1)
    labels = torch.tensor([0] * 8 + [1] * 2)
    assert expected_calibration_error(logits, labels) == pytest.approx(0, abs=1e-7)
    assert expected_calibration_error(logits, 1 - labels) == pytest.approx(0.6)


def test_calibration_error_equals_its_formula() -> None:
    logits, labels = 2 * normal(200, 4).double(), torch.arange(200) % 4
    probabilities = logits.softmax(dim=1).tolist()
    total = 0.0
    for b in range(10):
        rows = [i for i, row in enumerate(probabilities) if b / 10 < max(row) <= (b + 1) / 10]
        if rows:
            confidence = sum(max(probabilities[i]) for i in rows) / len(rows)
            hits = [probabilities[i].index(max(probabilities[i])) == labels[i] for i in rows]
            total += len(rows) / 200 * abs(sum(hits) / len(rows) - confidence)
    assert expected_calibration_error(logits, labels, bins=10) == pytest.approx(total)


def test_calibration_error_of_certainty() -> None:
    logits = 1e4 * torch.eye(3)
    assert expected_calibration_error(logits, torch.tensor([0, 1, 2])) == 0
    assert expected_calibration_error(logits, torch.tensor([1, 2, 0])) == 1


def test_a_bin_of_calibration_holds_its_upper_edge() -> None:
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1e4, 0.0], [1e4, 0.0]])  # 0.5, 0.5, 1, 1
    labels = logits.argmax(dim=1)
    labels[2:] = 1
    gaps = [0.5 + 0.5, 1.0 + 1.0]  # too shy, too sure: in one bin they would cancel
    assert expected_calibration_error(logits, labels, bins=2) == sum(gaps) / 4
