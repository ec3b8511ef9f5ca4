import pytest
import torch

from pipeline.noise import Noise
from pipeline.views import jittered, without_clip

STILL = {"rgb": torch.zeros(1), "flow": torch.zeros(1)}


def noise(seed: int = 0) -> Noise:
    return Noise(torch.tensor(seed), torch.device("cpu"))


def numbered(videos: int, clips: int) -> torch.Tensor:
    """Clips (n, T, 1) whose only feature is their number."""
    return torch.arange(clips, dtype=torch.float32).expand(videos, clips)[:, :, None]


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
