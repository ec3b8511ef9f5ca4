import math

import pytest
import torch

from pipeline.noise import Noise
from pipeline.views import deviations, fewer_clips, jittered, noisy, without_clip

STILL = {"rgb": torch.zeros(1), "flow": torch.zeros(1)}


def noise(seed: int = 0) -> Noise:
    return Noise(torch.tensor(seed), torch.device("cpu"))


def numbered(videos: int, clips: int) -> torch.Tensor:
    """Clips (n, T, 1) whose only feature is their number."""
    return torch.arange(clips, dtype=torch.float32).expand(videos, clips)[:, :, None]


# Fewer clips


def test_clips_are_dropped_from_both_modalities_alike() -> None:
    rgb = torch.arange(20.0).view(4, 5, 1).expand(4, 5, 2)
    one, other = fewer_clips(rgb, -rgb, 0.3, noise())
    assert one.shape == (4, 4, 2)  # 3.5, to the even neighbour
    assert torch.equal(one, -other)
    for video in range(4):
        shown = one[video, :, 0].tolist()
        assert len(set(shown)) == 4
        assert set(shown) <= set(rgb[video, :, 0].tolist())
    assert not torch.equal(one, fewer_clips(rgb, -rgb, 0.3, noise(1))[0])


@pytest.mark.parametrize(("clips", "share", "left"), [(5, 0.0, 5), (5, 1.0, 1), (1, 0.5, 1)])
def test_at_least_one_clip_stays(clips: int, share: float, left: int) -> None:
    rgb = torch.rand(3, clips, 2)
    assert fewer_clips(rgb, rgb, share, noise())[0].shape == (3, left, 2)


def test_any_clips_may_stay() -> None:
    rgb, _ = fewer_clips(numbered(200, 5), numbered(200, 5), 0.4, noise())
    chosen = {frozenset(video) for video in rgb[:, :, 0].tolist()}
    assert len(chosen) == 10  # 3 of 5


def test_every_draw_drops_other_clips() -> None:
    source, clips = noise(), numbered(12, 5)
    one, other = (fewer_clips(clips, clips, 0.4, source)[0] for _ in range(2))
    assert not torch.equal(one, other)


# A clip left out


def test_the_clip_after_stands_in_and_before_the_last() -> None:
    got = without_clip(numbered(4, 4), torch.arange(4))[:, :, 0]
    assert got.tolist() == [[1, 1, 2, 3], [0, 2, 2, 3], [0, 1, 3, 3], [0, 1, 2, 2]]


def test_a_single_clip_stays() -> None:
    clips = numbered(2, 1) + 7
    assert torch.equal(without_clip(clips, torch.zeros(2, dtype=torch.long)), clips)


def test_a_view_lacks_one_clip_of_each_video_in_both_modalities() -> None:
    clips = numbered(200, 5)
    rgb, flow = jittered(clips, clips, STILL, noise())
    assert torch.equal(rgb, flow)
    missing = [set(range(5)) - set(video) for video in rgb[:, :, 0].tolist()]
    assert all(len(numbers) == 1 for numbers in missing)
    assert set.union(*missing) == set(range(5))


# Noise


def test_noise_can_be_in_standard_deviations_of_each_feature() -> None:
    clips = torch.randn(400, 5, 2, generator=torch.Generator().manual_seed(0))
    clips = clips * torch.tensor([1.0, 100.0])
    added = noisy(clips, 0.3 * deviations(clips), noise()) - clips
    torch.testing.assert_close(added.std(dim=(0, 1)), torch.tensor([0.3, 30.0]), rtol=0.1, atol=0)
    assert torch.equal(noisy(clips, torch.zeros(2), noise()), clips)


def test_the_deviation_of_a_feature_is_over_all_clips() -> None:
    clips = torch.tensor([[[0.0, 5.0], [2.0, 5.0]], [[4.0, 5.0], [6.0, 5.0]]])
    assert deviations(clips).tolist() == pytest.approx([math.sqrt(5), 0])
    assert deviations(clips[:1, :1]).tolist() == [0, 0]


def test_noise_has_the_spread_of_each_feature() -> None:
    clips = torch.zeros(5000, 1, 3)
    spreads = {"rgb": torch.tensor([0.0, 0.5, 2.0]), "flow": torch.tensor([1.0, 0.0, 0.0])}
    rgb, flow = jittered(clips, clips, spreads, noise())
    assert rgb.std(dim=(0, 1)).tolist() == pytest.approx([0, 0.5, 2], rel=0.05)
    assert flow.std(dim=(0, 1)).tolist() == pytest.approx([1, 0, 0], rel=0.05)


def test_views_follow_their_noise() -> None:
    clips, spreads = torch.randn(6, 5, 3), {"rgb": torch.ones(3), "flow": torch.ones(3)}
    one, same, other = (jittered(clips, clips, spreads, noise(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
