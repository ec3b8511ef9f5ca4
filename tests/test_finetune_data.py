"""What training on frames sees: windows, views, and clips out of the cache."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from films_cached import LENGTH, SIZE, cache, flow_of, frames_of

from pipeline.errors import UserError
from pipeline.finetune import augmentation, windows
from pipeline.finetune.frames import Cache, Request, loaded
from pipeline.video import Frames

CPU = torch.device("cpu")

# windows


def test_a_window_may_begin_wherever_its_neighbours_are_kept() -> None:
    assert windows.starts(range(10), 8).tolist() == [0, 1, 2]
    assert windows.starts([0, 1, 2, 5, 6, 7, 8], 3).tolist() == [0, 3, 4]
    assert windows.starts([0, 2, 4], 2).tolist() == []


def test_equal_shares_of_the_draws_give_each_window() -> None:
    first = [windows.drawn(range(11), 8, share)[0] for share in np.linspace(0, 1, 400, False)]
    assert np.bincount(first).tolist() == [100, 100, 100, 100]


def test_a_short_video_repeats_its_frames_in_order() -> None:
    assert windows.drawn(range(4), 8, 0.9).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_frames_that_are_no_neighbours_are_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match=r"no 8 consecutive frames.*clips\.sampling: all"):
        windows.drawn(range(0, 40, 3), 8, 0.0)


def test_windows_for_tests_stand_at_the_middles_of_equal_parts() -> None:
    first = [windows.drawn(range(107), 8, share)[0] for share in windows.middles(2)]
    assert first == [25, 75]


# views


def codes(channels: int) -> torch.Tensor:
    drawn = np.random.default_rng(0).integers(0, 256, (3, 4, 16, 16, channels), np.uint8)
    return torch.from_numpy(drawn)


def views(share: float = 1.0, mirrored: float = 0.0, across: float = 0.5) -> augmentation.Views:
    return augmentation.Views(*(torch.full((3,), v) for v in (share, across, 0.5, mirrored)))


@pytest.mark.parametrize("channels", [3, 2])
def test_the_whole_picture_not_mirrored_is_the_clip_as_it_is(channels: int) -> None:
    seen = augmentation.seen(codes(channels), views(), motion=channels == 2)
    torch.testing.assert_close(seen, augmentation.plain(codes(channels)), atol=1e-4, rtol=0)


def test_a_mirror_turns_pictures_and_the_direction_of_motion() -> None:
    rgb = augmentation.seen(codes(3), views(mirrored=1.0), motion=False)
    torch.testing.assert_close(rgb, augmentation.plain(codes(3)).flip(-1), atol=1e-4, rtol=0)
    flow = augmentation.seen(codes(2), views(mirrored=1.0), motion=True)
    expected = augmentation.plain(codes(2)).flip(-1) * torch.tensor([-1, 1]).view(2, 1, 1, 1)
    torch.testing.assert_close(flow, expected, atol=1e-4, rtol=0)


def test_motion_grows_with_the_picture() -> None:
    slow = torch.full((3, 4, 16, 16, 2), 150, dtype=torch.uint8)
    once = augmentation.seen(slow, views(), motion=True)
    torch.testing.assert_close(augmentation.seen(slow, views(0.5), motion=True), 2 * once)


def test_a_part_is_cut_out_where_the_view_says() -> None:
    """The left half of a ramp along x, enlarged, ends where the whole has its middle."""
    ramp = (torch.arange(16, dtype=torch.uint8) * 16).expand(3, 4, 16, 16)[..., None]
    seen = augmentation.seen(ramp, views(0.5, across=0.0), motion=False)[0, 0, 0, 0]
    whole = augmentation.plain(ramp)[0, 0, 0, 0]
    torch.testing.assert_close(seen[1::2], (3 * whole[:8] + whole[1:9]) / 4, atol=1e-4, rtol=0)


def test_views_are_drawn_within_their_bounds() -> None:
    drawn = augmentation.drawn(torch.rand(4, 1000), smallest=0.8)
    assert 0.8 <= drawn.share.min() < 0.81
    assert 0.99 < drawn.share.max() <= 1
    assert 400 < drawn.mirrored.sum() < 600


# the cache


def read(videos: Cache, flow: tuple[float, ...] | None) -> tuple[list[int], list[int]]:
    rgb, fields = videos.read(Request("001.mp4", (0.0, 0.99), flow))
    assert rgb.shape == (2, LENGTH, SIZE, SIZE, 3)
    assert fields.shape == (2, LENGTH, SIZE, SIZE, 2)
    return rgb[:, 0, 0, 0, 0].tolist(), fields[:, 0, 0, 0, 0].tolist()


def test_windows_are_the_frames_that_were_cached(tmp_path: Path) -> None:
    videos = cache(tmp_path, range(2)).cache
    rgb, flow = videos.read(Request("001.mp4", (0.5,), (0.0,)))
    assert (rgb[0] == frames_of(1, 20)[6 : 6 + LENGTH]).all()
    expected = flow_of(1, 19)[:LENGTH].reshape(LENGTH, 2, SIZE, SIZE)
    assert (flow[0] == expected.transpose(0, 2, 3, 1)).all()


def test_windows_of_flow_are_its_own_or_those_of_rgb(tmp_path: Path) -> None:
    videos = cache(tmp_path, range(2)).cache
    assert read(videos, flow=(0.5, 0.0)) == ([0, 12], [6, 0])
    assert read(videos, flow=None) == ([0, 12], [0, 11])  # the last frame has no flow of its own


def test_a_cache_of_spread_frames_is_told(tmp_path: Path) -> None:
    videos = cache(tmp_path, range(2), numbers=list(range(0, 20, 2)))
    wanted = [Request("001.mp4", (0.0,), None)]
    with pytest.raises(UserError, match=r"001\.mp4: no 8 consecutive frames"):
        list(loaded([(videos.cache, wanted)], workers=0, device=CPU))


def test_processes_that_read_ahead_change_nothing(tmp_path: Path) -> None:
    videos = cache(tmp_path, range(5))
    requests = [Request(key, (share / 5,), None) for share, key in enumerate(videos.keys)]
    parts = [(videos.cache, requests[:2]), (videos.cache, requests[2:])]
    alone, ahead = (list(loaded(parts, workers=n, device=CPU)) for n in (0, 2))
    assert [clips.rgb.shape[0] for clips in alone] == [2, 3]
    for one, other in zip(alone, ahead, strict=True):
        assert all(map(torch.equal, one, other))


class Deadly(Cache):
    """Ends the process that reads from it."""

    def read(self, wanted: Request) -> tuple[Frames, Frames]:
        os._exit(9)


def test_a_process_that_dies_while_it_reads_ahead_is_told(tmp_path: Path) -> None:
    wanted = [Request(name, (0.0,), None) for name in "ab"]
    with pytest.raises(UserError, match=r"has died .* lower engine\.workers"):
        list(loaded([(Deadly(tmp_path, tmp_path, 8), wanted)], workers=1, device=CPU))


def test_videos_that_the_cache_lacks_are_told(tmp_path: Path) -> None:
    videos = cache(tmp_path, range(2))
    with pytest.raises(UserError, match=r"lacks 1 videos of the index, 'b.mp4' first"):
        videos.cache.fingerprints([*videos.keys, "b.mp4"])
