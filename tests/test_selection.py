"""Choosing without labels: which way a score points, and the two probes."""

import pytest
import torch
from two_domains import two_domains

from pipeline import selection
from pipeline.features import Features


def features(videos: int, clips: int) -> Features:
    values = torch.arange(videos * clips * 2.0).view(videos, clips, 2)
    return Features(tuple(map(str, range(videos))), values, -values)


def logits(*classes: int) -> torch.Tensor:
    return 5 * torch.eye(4)[list(classes)]


@pytest.mark.parametrize(("score", "best"), [("mean_entropy", 2), ("clip_consistency", 1)])
def test_the_best_epoch_has_the_lowest_entropy_or_the_highest_consistency(
    score: selection.Score, best: int
) -> None:
    rows = [{str(score): value} for value in (0.5, 0.9, 0.1, 0.1, 0.9)]
    assert selection.best_epoch(rows, score) == best


def test_every_video_is_mixed_with_one_half_the_domain_away() -> None:
    whole = features(5, 3)
    mixed = selection.mixtures(whole)
    assert selection.partners(5).tolist() == [3, 4, 0, 1, 2]
    torch.testing.assert_close(mixed.rgb[0], 0.6 * whole.rgb[0] + 0.4 * whole.rgb[3])
    torch.testing.assert_close(mixed.flow[4], 0.6 * whole.flow[4] + 0.4 * whole.flow[2])


def test_halves_are_every_other_clip() -> None:
    whole = features(2, 5)
    even, odd = selection.halves(whole)
    assert torch.equal(even.rgb, whole.rgb[:, [0, 2, 4]])
    assert torch.equal(odd.flow, whole.flow[:, [1, 3]])
    assert all(
        torch.equal(half.rgb, features(2, 1).rgb) for half in selection.halves(features(2, 1))
    )


def test_clip_consistency_counts_the_halves_that_agree_with_the_whole() -> None:
    whole = logits(0, 1, 2, 3)
    assert selection.clip_consistency(whole, whole, whole) == 1
    assert selection.clip_consistency(whole, logits(0, 1, 0, 0), logits(0, 0, 0, 3)) == 4 / 8


def test_mixup_consistency_counts_pairs_of_two_classes_alone() -> None:
    whole = logits(0, 1, 0, 2)  # partners are two away: 0 with 0, 1 with 2, 0 with 0, 2 with 1
    assert selection.mixup_consistency(whole, logits(3, 1, 3, 1)) == 1 / 2
    assert selection.mixup_consistency(whole, logits(0, 1, 0, 2)) == 1


def test_one_class_for_everything_has_no_mixup_consistency() -> None:
    assert selection.mixup_consistency(logits(1, 1, 1, 1), logits(1, 1, 1, 1)) == 0


def test_a_mixture_of_separate_classes_is_nearer_to_the_larger_share() -> None:
    source, _ = two_domains(seed=0, videos=(57, 12), shift=0.0)
    prototypes = torch.stack(
        [source.features.rgb[source.labels == k].mean(dim=(0, 1)) for k in range(6)]
    )
    own, mixed = (
        -torch.cdist(videos.rgb.mean(dim=1), prototypes)
        for videos in (source.features, selection.mixtures(source.features))
    )
    assert selection.mixup_consistency(own, mixed) > 0.7


def test_probes_are_made_at_the_first_row_each_fifth_epoch_and_the_last() -> None:
    assert [epoch for epoch in range(13) if selection.is_probed(epoch, 12)] == [0, 5, 10, 12]


def test_only_epochs_that_have_a_score_are_chosen_by_it() -> None:
    rows = [{"clip_consistency": 0.5}, {}, {"clip_consistency": 0.8}, {}]
    assert selection.best_epoch(rows, "clip_consistency") == 2
