import math

import torch
from torch import Tensor

from pipeline.losses import entropies
from pipeline.prototypes import prototype_labels, surest_videos


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def as_lists(prototypes: list[Tensor]) -> list[list[int]]:
    return [videos.tolist() for videos in prototypes]


# Which videos


def test_prototypes_are_the_videos_as_sure_as_the_surest_of_the_least_sure_class() -> None:
    logits = torch.tensor([[9.0, 0], [5, 0], [3, 0], [1, 0], [0, 4], [0, 2]])
    assert as_lists(surest_videos(logits, 100)) == [[0, 1], [4]]


def test_prototypes_equal_their_definition() -> None:
    logits = 3 * normal(60, 4)
    uncertainty, predicted = entropies(logits).tolist(), logits.argmax(dim=1).tolist()
    members = [[i for i in range(60) if predicted[i] == k] for k in range(4)]
    eta = max(min(uncertainty[i] for i in videos) for videos in members)
    expected = [
        sorted((i for i in videos if uncertainty[i] <= eta), key=lambda i: uncertainty[i])
        for videos in members
    ]
    assert as_lists(surest_videos(logits, 100)) == expected
    assert as_lists(surest_videos(logits, 2)) == [videos[:2] for videos in expected]


def test_a_class_that_nobody_is_predicted_as_has_the_likeliest_video() -> None:
    logits = torch.tensor([[9.0, 0, 1], [0, 9, 3], [5, 0, 4]])
    assert as_lists(surest_videos(logits, 100)) == [[0], [1], [2]]


def test_extreme_predictions_have_prototypes() -> None:
    logits = torch.tensor([[1e4, -1e4, 0], [0, 0, 0], [1e4, 1e4, -1e4]])
    assert all(len(videos) for videos in surest_videos(logits, 1))


# Their labels


def test_labels_are_those_of_the_nearest_prototypes_on_average() -> None:
    angles = torch.tensor([0.0, 40, 90, 100, 20, 75, 50]).deg2rad()
    features = torch.stack([angles.cos(), angles.sin()], dim=1)
    labels, accepted = prototype_labels(features, [torch.tensor([0, 1]), torch.tensor([2, 3])])
    assert labels.tolist() == [0, 0, 1, 1, 0, 1, 0]
    # 50 degrees is nearer to its class's 40, and to it on average, but farther from 0 than from 90
    assert accepted.tolist() == [True, True, True, True, True, True, False]


def test_labels_and_acceptance_equal_their_definitions() -> None:
    features = normal(30, 5)
    prototypes = [torch.tensor([0, 1, 2]), torch.tensor([3]), torch.tensor([4, 5])]
    labels, accepted = prototype_labels(features, prototypes)
    rows = features.tolist()

    def cosine(one: list[float], other: list[float]) -> float:
        dot = sum(a * b for a, b in zip(one, other, strict=True))
        return dot / math.hypot(*one) / math.hypot(*other)

    for row, label, sure in zip(rows, labels.tolist(), accepted.tolist(), strict=True):
        likeness = [[cosine(row, rows[j]) for j in videos.tolist()] for videos in prototypes]
        ranked = sorted(range(3), key=lambda k: -sum(likeness[k]) / len(likeness[k]))
        assert label == ranked[0]
        farthest = max(1 - value for value in likeness[ranked[0]])
        nearest = min(1 - value for value in likeness[ranked[1]])
        assert sure == (farthest < nearest)
    assert 0 < accepted.sum() < 30


def test_features_of_length_0_are_labelled_but_not_accepted() -> None:
    labels, accepted = prototype_labels(torch.zeros(3, 4), [torch.tensor([0]), torch.tensor([1])])
    assert labels.tolist() == [0, 0, 0]
    assert not accepted.any()
