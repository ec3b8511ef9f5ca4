"""The small pictures of videos: flow in colours, the right frame, none where there must be none."""

import colorsys
import io
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline import lossless, params, shards
from pipeline.clips import plan
from pipeline.index import Video
from pipeline.per_video import Job
from pipeline.pictures import Pictures
from pipeline.video_picture import VideoPicture, coloured, jpeg, reduced

CLIPS = params.Clips(segments=2, windows=1, frames=8, sampling="spread")
SIZE = 32


def shown(content: bytes) -> np.ndarray:
    """A JPEG as RGB."""
    with av.open(io.BytesIO(content), "r") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def hue(codes: tuple[int, int]) -> float:
    """The hue, in degrees, of a field that moves alike everywhere."""
    field = np.full((2, 4, 4), 0, np.uint8)
    field[0], field[1] = codes
    red, green, blue = coloured(field.reshape(8, 4))[0, 0] / 255
    return 360 * colorsys.rgb_to_hsv(red, green, blue)[0]


def test_a_direction_has_a_hue_and_the_opposite_one_the_opposite() -> None:
    right, down, left, up = (hue(c) for c in ((228, 128), (128, 228), (28, 128), (128, 28)))
    assert [right, down, left, up] == pytest.approx([0, 90, 180, 270], abs=2)


def test_what_does_not_move_is_white_and_faster_is_deeper() -> None:
    codes = np.full((2, 3), 128, np.uint8)  # one row, three points
    codes[0] = [128, 178, 228]
    still, slow, fast = coloured(codes)[0]
    assert still.tolist() == [255, 255, 255]
    assert 255 > slow.min() > fast.min() == 0


def test_hardly_any_motion_is_not_blown_up() -> None:
    codes = np.full((2, 2), 128, np.uint8)
    codes[0] = [129, 130]  # a step may be noise; two are motion, and faint
    noise, faint = coloured(codes)[0]
    assert noise.min() == 255
    assert faint.min() == pytest.approx(255 - 2 * 255 / 8, abs=2)


def test_a_picture_keeps_its_shape() -> None:
    wide = np.zeros((50, 100, 3), np.uint8)
    assert reduced(wide, 25).shape == (25, 50, 3)
    assert reduced(wide, 100).shape == (100, 200, 3)
    assert jpeg(wide) == jpeg(wide)


@pytest.fixture
def work(tmp_path: Path) -> VideoPicture:
    """Published frames and flow of one video of 40 frames, each of its own grey."""
    cut = plan(40, **CLIPS.model_dump())
    numbers = cut.needed.tolist()
    frames = np.stack([np.full((SIZE, SIZE, 3), 6 * n, np.uint8) for n in numbers])
    codes = np.full((len(cut.distinct_pairs), 2 * SIZE, SIZE), 128, np.uint8)
    decoding = {"clips": CLIPS.model_dump(), "decode": {"size": SIZE}}
    note = {"numbers": numbers, "n_frames": 40, "fps": 25.0}
    parts = {
        "frames": (lossless.encode(frames, fps=25, note=note), decoding),
        "flow": (lossless.encode(codes, fps=25, note={"pairs": cut.distinct_pairs}), {}),
    }
    for name, (content, provenance) in parts.items():
        of = {"walk/1.mp4": content}
        sizes, marks = {"walk/1.mp4": len(content)}, {"walk/1.mp4": name}
        shards.publish(tmp_path / name, of, fingerprints=marks, sizes=sizes, provenance=provenance)
    return VideoPicture(tmp_path / "frames", tmp_path / "flow", 24)


def test_the_middle_frame_stands_beside_its_flow(work: VideoPicture) -> None:
    video = Video("walk/1.mp4", "walk/1.mp4", None, None, "test", "0" * 64)
    picture = shown(work(Job(video, "")))
    assert picture.shape == (24, 48, 3)
    middle = plan(40, **CLIPS.model_dump()).frames.flat[8]
    assert picture[:, :20].mean() == pytest.approx(6 * middle, abs=2)
    assert picture[:, 28:].mean() == pytest.approx(255, abs=1)  # nothing moves


def test_another_height_frames_or_flow_make_another_fingerprint(work: VideoPicture) -> None:
    other = VideoPicture(work.frames, work.flow, 25)
    assert other.fingerprint("walk/1.mp4") != work.fingerprint("walk/1.mp4")
    for frames, flow in ((work.frames, work.frames), (work.flow, work.flow)):
        mixed = VideoPicture(frames, flow, 24)
        assert mixed.fingerprint("walk/1.mp4") != work.fingerprint("walk/1.mp4")


def test_published_pictures_are_read_by_key(tmp_path: Path) -> None:
    content = {"a": b"\xff\xd8 one", "b/c": b"\xff\xd8 two"}
    marks, sizes = dict.fromkeys(content, "f"), dict.fromkeys(content, 6)
    shards.publish(
        tmp_path / "p", content, fingerprints=marks, sizes=sizes, provenance={}, suffix=shards.JPEG
    )
    assert dict(Pictures.of(tmp_path / "p")) == content
    shards.publish(tmp_path / "none", {}, fingerprints={}, sizes={}, provenance={})
    assert not Pictures.of(tmp_path / "none")
