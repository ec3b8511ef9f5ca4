"""The lossless coding of frames and flow."""

from pathlib import Path

import numpy as np
import pytest
from films import inspect, numbered, numbers_of, read
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline import lossless
from pipeline.errors import UserError
from pipeline.video import Frames, Section

SHAPES = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(2, 41), st.integers(2, 41), st.just(3)),
    st.tuples(st.integers(1, 4), st.integers(2, 41), st.integers(2, 41)),
)


@settings(max_examples=40, deadline=None)
@given(frames=arrays(np.uint8, SHAPES))
def test_lossless_coding_gives_every_bit_back(frames: Frames) -> None:
    decoded, _ = lossless.decode(lossless.encode(frames, fps=25, note={}))
    assert decoded.shape == frames.shape
    assert (decoded == frames).all()


@pytest.mark.parametrize("shape", [(1, 51, 67, 3), (3, 80, 80, 3), (2, 160, 80), (1, 2, 2)])
@pytest.mark.parametrize("fps", [25.0, 29.97, 0.01, 90000.0, 1e6])
def test_noise_survives_lossless_coding_at_any_frame_rate(
    shape: tuple[int, ...], fps: float
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    decoded, _ = lossless.decode(lossless.encode(frames, fps=fps, note={}))
    assert (decoded == frames).all()


@pytest.mark.parametrize("rows", [[0], [11], [12, 13], [5, 23, 24, 39], list(range(40))])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_some_frames_are_those_that_all_of_them_hold(
    rows: list[int], channels: tuple[int, ...]
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (40, 24, 24, *channels), np.uint8)
    coded = lossless.encode(frames, fps=25, note={"rows": rows})
    some, note = lossless.decode(coded, lambda note: note["rows"])
    assert note == {"rows": rows}
    assert (some == frames[rows]).all()


def test_a_frame_that_is_not_there_is_told() -> None:
    coded = lossless.encode(np.zeros((3, 24, 24), np.uint8), fps=25, note={})
    with pytest.raises(UserError, match="no pictures as this program writes them"):
        lossless.decode(coded, lambda _: [3])


def test_lossless_coding_is_the_same_to_the_byte_and_depends_on_the_note() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8)
    first = lossless.encode(frames, fps=25, note={"a": 1, "b": 2})
    assert first == lossless.encode(frames, fps=25, note={"b": 2, "a": 1})
    assert first != lossless.encode(frames, fps=25, note={"a": 1, "b": 3})


def test_the_note_comes_back_whole() -> None:
    note = {"numbers": list(range(2000)), "fps": 29.97, "name": 'Ünïcode "q" \'; = \\ 日本😀\n'}
    frames = np.zeros((1, 8, 8), np.uint8)
    assert lossless.decode(lossless.encode(frames, fps=25, note=note))[1] == note


def test_any_player_can_show_the_lossless_file(tmp_path: Path) -> None:
    frames = np.stack([numbered(number, (64, 48)) for number in range(20)])
    path = tmp_path / "a.mkv"
    path.write_bytes(lossless.encode(frames, fps=25, note={}))
    section = Section(path)
    assert inspect(section).frames == 20
    assert numbers_of(read(section, list(range(20)))) == list(range(20))
