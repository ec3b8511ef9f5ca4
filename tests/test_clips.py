"""The sampling plan: values worked out by hand, and what must hold for every video."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clips import LONGEST, ClipPlan, Sampling, plan

SAMPLINGS: tuple[Sampling, ...] = ("spread", "consecutive")


def mtran(n_frames: int, sampling: Sampling = "spread") -> ClipPlan:
    """Five segments of one window of 16 frames."""
    return plan(n_frames, segments=5, windows=1, frames=16, sampling=sampling)


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, int, int, int, Sampling]:
    n_frames = draw(st.one_of(st.integers(2, 200), st.integers(2, 10**6)))
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 4), st.integers(8, 40)))
    return (n_frames, *shape, draw(st.sampled_from(SAMPLINGS)))


def made(drawn: tuple[int, int, int, int, Sampling]) -> ClipPlan:
    n_frames, segments, windows, frames, sampling = drawn
    return plan(n_frames, segments=segments, windows=windows, frames=frames, sampling=sampling)


# by hand


def test_as_many_frames_as_places_are_each_shown_once() -> None:
    assert mtran(80).frames.flatten().tolist() == list(range(80))


def test_twice_as_many_frames_as_places_show_every_second_one() -> None:
    assert mtran(160).frames.flatten().tolist() == list(range(1, 160, 2))


def test_a_thousand_frames_give_the_middles_of_eighty_equal_parts() -> None:
    """Parts are 12.5 frames long: their middles are 6.25, 18.75, 31.25, 43.75, ..., 993.75."""
    clips = mtran(1000).frames
    assert clips.shape == (5, 1, 16)
    assert clips[0, 0, :5].tolist() == [6, 18, 31, 43, 56]
    assert clips[1, 0, 0] == 206
    assert clips[4, 0, -1] == 993


def test_two_frames_are_repeated_in_order() -> None:
    clips = mtran(2)
    assert clips.frames[:2].max() == 0
    assert clips.frames[2, 0].tolist() == [0] * 8 + [1] * 8
    assert clips.frames[3:].min() == 1
    assert clips.pairs.max() == 0
    assert clips.needed.tolist() == [0, 1]


def test_three_frames_are_repeated_in_order() -> None:
    flat = mtran(3).frames.flatten().tolist()
    assert flat == sorted(flat)
    assert [flat.count(number) for number in range(3)] == [27, 26, 27]
    assert mtran(3).pairs.max() == 1


@pytest.mark.parametrize(
    ("n_frames", "first"),
    [(15, [0, 0, 0, 0, 0, 1]), (16, [0, 0, 0, 0, 0, 1]), (17, [0, 0, 0, 0, 0, 1])],
)
def test_short_segments_repeat_frames(n_frames: int, first: list[int]) -> None:
    clips = mtran(n_frames)
    assert clips.frames[0, 0, :6].tolist() == first
    assert np.unique(clips.frames).tolist() == list(range(n_frames))


def test_one_frame_less_than_places_repeats_one_frame() -> None:
    flat = mtran(79).frames.flatten()
    assert np.unique(flat).tolist() == list(range(79))
    assert len(flat) == 80


def test_neighbours_stand_around_the_middle_of_each_segment() -> None:
    """Segments of 200 frames: 100 - 8 = 92 is the first of 16 around the middle."""
    clips = mtran(1000, "consecutive").frames
    assert clips[:, 0, 0].tolist() == [92, 292, 492, 692, 892]
    assert clips[4, 0].tolist() == list(range(892, 908))


def test_of_two_runs_that_are_equally_central_the_later_is_taken() -> None:
    clips = plan(17, segments=1, windows=1, frames=16, sampling="consecutive").frames
    assert clips[0, 0].tolist() == list(range(1, 17))


def test_neighbours_of_two_windows_stand_around_the_middles_of_the_halves() -> None:
    clips = plan(1000, segments=5, windows=2, frames=16, sampling="consecutive").frames
    assert clips[:, :, 0].tolist() == [[42, 142], [242, 342], [442, 542], [642, 742], [842, 942]]


def test_neighbours_overlap_where_segments_are_shorter_than_a_window() -> None:
    """20 frames, segments of 4: a window of 16 would begin at 2 - 8 = -6, so it begins at 0."""
    clips = mtran(20, "consecutive").frames
    assert clips[:, 0, 0].tolist() == [0, 0, 2, 4, 4]
    assert clips[4, 0, -1] == 19


def test_a_video_as_long_as_a_window_is_shown_whole_in_each() -> None:
    assert (mtran(16, "consecutive").frames == np.arange(16)).all()


def test_a_video_shorter_than_a_window_is_spread_over_each() -> None:
    clips = plan(8, segments=2, windows=2, frames=16, sampling="consecutive").frames
    assert (clips == np.arange(16) // 2).all()


def test_windows_of_spread_cut_a_segment_into_equal_parts() -> None:
    one = plan(320, segments=5, windows=2, frames=16, sampling="spread").frames
    ten = plan(320, segments=10, windows=1, frames=16, sampling="spread").frames
    assert (one.reshape(10, 16) == ten.reshape(10, 16)).all()


def test_no_rounded_fraction_picks_the_frame_before() -> None:
    """8 frames, 9 parts of 10: the 70th middle stands at 69.5 * 8 / 90 = 6.18, the 68th at 6.0."""
    flat = plan(8, segments=3, windows=3, frames=10, sampling="spread").frames.flatten()
    assert flat[67] == 6


def test_the_last_frame_borrows_the_pair_before_it() -> None:
    clips = mtran(80)
    assert clips.pairs[4, 0, -2:].tolist() == [78, 78]
    assert (clips.pairs.flatten()[:-1] == clips.frames.flatten()[:-1]).all()


def test_all_shows_what_consecutive_does_and_keeps_the_other_frames_beside() -> None:
    whole, neighbours = mtran(1000, "all"), mtran(1000, "consecutive")
    assert (whole.frames == neighbours.frames).all()
    assert (whole.pairs == neighbours.pairs).all()
    assert whole.needed.tolist() == list(range(1000))
    assert whole.distinct_pairs == list(range(999))
    assert mtran(2, "all").needed.tolist() == [0, 1]


def test_all_keeps_as_many_frames_as_may_be_of_a_video_that_is_longer() -> None:
    clips = mtran(10**6, "all")
    assert len(clips.distinct_pairs) == LONGEST // 5 * 5
    stretches = np.diff(clips.needed) > 1
    assert stretches.sum() == 4  # one around the middle of each of five segments


@pytest.mark.parametrize("n_frames", [-1, 0, 1])
def test_fewer_than_two_frames_are_refused(n_frames: int) -> None:
    with pytest.raises(ValueError, match="at least 2 frames"):
        mtran(n_frames)


# for every video


@given(drawn=plans())
def test_the_shape_is_that_of_the_parameters(drawn: tuple[int, int, int, int, Sampling]) -> None:
    clips = made(drawn)
    assert clips.frames.shape == clips.pairs.shape == drawn[1:4]


@given(drawn=plans())
def test_numbers_lie_in_the_video_and_never_go_back_in_a_window(
    drawn: tuple[int, int, int, int, Sampling],
) -> None:
    clips = made(drawn)
    assert clips.frames.min() >= 0
    assert clips.frames.max() < drawn[0]
    assert (np.diff(clips.frames, axis=2) >= 0).all()


@given(drawn=plans())
def test_every_sampled_frame_has_a_pair_that_is_its_own_or_the_last(
    drawn: tuple[int, int, int, int, Sampling],
) -> None:
    clips = made(drawn)
    last = drawn[0] - 1
    assert (clips.pairs[clips.frames < last] == clips.frames[clips.frames < last]).all()
    assert (clips.pairs[clips.frames == last] == last - 1).all()


@given(drawn=plans())
def test_needed_holds_all_frames_and_both_of_each_pair_once_and_in_order(
    drawn: tuple[int, int, int, int, Sampling],
) -> None:
    clips = made(drawn)
    expected = {*clips.frames.flat, *clips.pairs.flat, *(clips.pairs + 1).flat}
    assert clips.needed.tolist() == sorted(expected)


@given(drawn=plans())
def test_spread_shows_the_frame_in_the_middle_of_each_equal_part(
    drawn: tuple[int, int, int, int, Sampling],
) -> None:
    n_frames, segments, windows, frames, _ = drawn
    flat = made((*drawn[:4], "spread")).frames.flatten().tolist()
    count = segments * windows * frames
    expected = [(Fraction(2 * k + 1, 2 * count) * n_frames).__floor__() for k in range(count)]
    assert flat == expected


@given(drawn=plans())
def test_every_segment_shows_frames_of_its_own_part_of_the_video(
    drawn: tuple[int, int, int, int, Sampling],
) -> None:
    n_frames, segments = drawn[0], drawn[1]
    clips = made((*drawn[:4], "spread")).frames.reshape(segments, -1)
    for number, shown in enumerate(clips):
        assert shown.min() >= number * n_frames // segments
        assert shown.max() <= -(-(number + 1) * n_frames // segments) - 1


@given(drawn=plans())
def test_neighbours_follow_each_other_without_a_gap(
    drawn: tuple[int, int, int, int, Sampling],
) -> None:
    n_frames, _, _, frames, _ = drawn
    clips = made((*drawn[:4], "consecutive")).frames
    if n_frames >= frames:
        assert (np.diff(clips, axis=2) == 1).all()
        middles = clips.reshape(-1, frames)[:, 0]
        assert (np.diff(middles) >= 0).all()
    else:
        assert (clips == clips[0, 0]).all()
        assert len(np.unique(clips)) == n_frames


@given(drawn=plans())
def test_the_same_video_has_the_same_plan(drawn: tuple[int, int, int, int, Sampling]) -> None:
    assert (made(drawn).frames == made(drawn).frames).all()
