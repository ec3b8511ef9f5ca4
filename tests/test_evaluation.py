"""What an adaptation did: numbers that are known by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline import metrics
from pipeline.embedding import tsne
from pipeline.evaluation import LAST_EPOCHS, Predictions, over_epochs


def logits(*classes: int, count: int = 3, sure: float = 50.0) -> Tensor:
    """Logits that say these classes, with certainty."""
    return sure * torch.eye(count)[list(classes)]


LABELS = torch.tensor([0, 0, 0, 1])
TWO_SEEDS = Predictions({0: logits(0, 0, 0, 1), 7: logits(0, 0, 2, 0)})  # 100 % and 50 %


def test_accuracies_are_those_of_each_seed() -> None:
    assert TWO_SEEDS.accuracies(LABELS) == {0: 1.0, 7: 0.5}
    assert TWO_SEEDS.classes(7).tolist() == [0, 0, 2, 0]


def test_mean_and_deviation_are_over_the_seeds() -> None:
    scores = TWO_SEEDS.labelled(LABELS)
    assert scores["accuracy"] == 0.75
    assert scores["accuracy_sd"] == pytest.approx(math.sqrt(2) / 4)  # n - 1


def test_the_interval_is_over_the_videos_at_the_mean_accuracy() -> None:
    """Wilson's for 3 of 4: (3 + z2/2 +- z sqrt(3/4 + z2/4)) / (4 + z2) at z = 1.96."""
    scores = TWO_SEEDS.labelled(LABELS)
    z = 1.96
    low, high = (
        (3 + z**2 / 2 + sign * z * math.sqrt(3 / 4 + z**2 / 4)) / (4 + z**2) for sign in (-1, 1)
    )
    assert scores["accuracy_low"] == pytest.approx(low, abs=1e-4)
    assert scores["accuracy_high"] == pytest.approx(high, abs=1e-4)


def test_classes_count_alike_in_the_mean_over_classes() -> None:
    """Seed 0: (1 + 1) / 2; seed 7: (2/3 + 0) / 2. Class 2 has no video and does not count."""
    assert TWO_SEEDS.labelled(LABELS)["mean_class_accuracy"] == pytest.approx((1 + 1 / 3) / 2)


def test_a_single_seed_has_no_deviation() -> None:
    scores = Predictions({3: logits(0, 0, 0, 0)}).labelled(LABELS)
    assert scores["accuracy"] == 0.75
    assert scores["accuracy_sd"] is None


def test_certain_predictions_are_miscalibrated_by_their_errors() -> None:
    assert TWO_SEEDS.labelled(LABELS)["calibration_error"] == pytest.approx(0.25)


def test_confusion_has_the_true_classes_as_rows() -> None:
    assert TWO_SEEDS.confusion(7, LABELS).tolist() == [[2, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_a_class_without_videos_has_no_accuracy() -> None:
    per_class = TWO_SEEDS.per_class(LABELS, ["jump", "run", "sit"])
    assert per_class == {"jump": pytest.approx(5 / 6), "run": 0.5}


def test_classes_that_do_not_fit_the_logits_are_an_error() -> None:
    with pytest.raises(ValueError, match="longer"):
        TWO_SEEDS.per_class(LABELS, ["jump", "run"])


def test_only_keeps_the_videos_asked_for_in_that_order() -> None:
    some = TWO_SEEDS.only([3, 0])
    assert {seed: some.classes(seed).tolist() for seed in (0, 7)} == {0: [1, 0], 7: [0, 0]}
    assert some.accuracies(LABELS[[3, 0]]) == {0: 1.0, 7: 0.5}


def test_without_labels_there_are_scores_and_no_accuracy() -> None:
    """Certain and even over two of three classes; certain, and 3 : 1 over two of them."""
    scores = Predictions({0: logits(0, 0, 1, 1), 7: logits(0, 0, 0, 2)}).label_free()
    uneven = -(3 / 4 * math.log(3 / 4) + 1 / 4 * math.log(1 / 4))
    assert scores["mean_entropy"] == pytest.approx(0, abs=1e-6)
    assert scores["marginal_entropy"] == pytest.approx((math.log(2) + uneven) / 2)
    assert scores["information_maximisation"] == pytest.approx(-(math.log(2) + uneven) / 2)
    assert scores["predicted_classes"] == 2
    assert not any("accuracy" in name for name in scores)


def test_scores_without_labels_are_the_means_of_each_seeds() -> None:
    single = [metrics.label_free_scores(by_seed) for by_seed in TWO_SEEDS.logits.values()]
    for name, value in TWO_SEEDS.label_free().items():
        assert value == pytest.approx((single[0][name] + single[1][name]) / 2)


# over epochs


def path(*right: int, videos: int = 4) -> Tensor:
    """Predictions (epochs, videos) of which so many are right each epoch; all labels are 1."""
    return torch.tensor([[1] * n + [0] * (videos - n) for n in right], dtype=torch.int16)


ONES = torch.ones(4, dtype=torch.long)


def test_the_oracle_is_the_best_epoch_of_each_seed() -> None:
    scores = over_epochs({0: path(1, 3, 2), 1: path(2, 1, 1)}, ONES)
    assert scores["oracle"] == pytest.approx((0.75 + 0.5) / 2)


def test_fewer_epochs_than_nine_are_all_averaged_but_for_the_source_model() -> None:
    scores = over_epochs({0: path(1, 3, 2), 1: path(4, 1, 1)}, ONES)
    assert scores["last_epochs_mean"] == pytest.approx(((3 + 2) / 2 + 1) / 2 / 4)


def test_without_an_epoch_the_source_model_is_the_result() -> None:
    scores = over_epochs({0: path(3)}, ONES)
    assert scores == {"last_epochs_mean": 0.75, "oracle": 0.75}


def test_the_mean_is_over_the_last_nine_epochs() -> None:
    assert LAST_EPOCHS == 9
    scores = over_epochs({0: path(4, 4, 4, *[1] * 8, 2)}, ONES)
    assert scores["last_epochs_mean"] == pytest.approx((8 * 1 + 2) / 9 / 4)
    assert scores["oracle"] == 1.0


# t-SNE


def test_a_picture_has_a_centred_point_a_video_and_is_the_same_each_time() -> None:
    features = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    points = tsne(features)
    assert points.shape == (40, 2)
    assert np.abs(points.mean(axis=0)).max() < 1e-3
    assert (tsne(features) == points).all()


def test_two_clouds_stay_two_clouds() -> None:
    clouds = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    clouds[:20] += 100
    points = tsne(clouds)
    centres = np.stack([points[:20].mean(axis=0), points[20:].mean(axis=0)])
    distances = np.linalg.norm(points[:, None] - centres, axis=2)
    assert (distances.argmin(axis=1) == np.repeat([0, 1], 20)).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_a_collapsed_model_has_all_its_points_in_one_place(value: float) -> None:
    """scikit-learn 1.9 ends the process with a segmentation fault here."""
    assert (tsne(torch.full((20, 8), value)) == 0).all()


def test_four_videos_are_enough_and_three_are_not() -> None:
    features = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    assert np.isfinite(tsne(features)).all()
    with pytest.raises(ValueError, match="at least 4 videos, got 3"):
        tsne(features[:3])
