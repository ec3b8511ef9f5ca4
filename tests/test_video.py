"""Reading videos frame by frame, and the lossless coding of frames and flow."""

import gc
import math
import struct
import unicodedata
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import films
import numpy as np
import pytest
from films import Picture, inspect, numbered, numbers_of, write, write_pictures

from pipeline import video, video_file
from pipeline.errors import VideoError
from pipeline.video import Section, Summary

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
FAST_VP9 = {"cpu-used": "8", "deadline": "realtime"}


def read(section: Section, numbers: list[int]) -> list[int]:
    return numbers_of(films.read(section, numbers))


def read_all(section: Section) -> list[int]:
    return read(section, list(range(inspect(section).frames)))


def test_a_wanted_frame_is_let_go_when_it_is_resized(tmp_path: Path) -> None:
    """In 4K a frame is 12 MB, and Python's collector comes by too seldom."""
    section = Section(write(tmp_path / "a.mp4", 40))
    gc.collect()
    gc.disable()
    try:
        films.read(section, list(range(40)))
        held = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert held < 5


# which frame is which

KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"b_frames": 3},
    "open_gop.mkv": {"b_frames": 3, "codec_options": {"x264-params": "open-gop=1:scenecut=0"}},
    "xvid.avi": {"codec": "mpeg4", "b_frames": 2},
    "h264.avi": {"b_frames": 3},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "raw_grey.avi": {"codec": "rawvideo", "pix_fmt": "gray"},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "h264.ts": {"b_frames": 3},
    "wmv2.wmv": {"codec": "wmv2"},
    "vp9.webm": {"codec": "libvpx-vp9", "codec_options": FAST_VP9},
    "fragments.mp4": {"b_frames": 3, "options": FRAGMENTS},
    "live.mkv": {"b_frames": 3, "options": {"live": "1"}},
    "odd.mp4": {"b_frames": 2, "size": (67, 51), "pix_fmt": "yuv444p"},
    "odd_420.mkv": {"codec": "ffv1", "size": (67, 51)},
    "odd.avi": {"codec": "mpeg4", "size": (67, 51)},
    "ten_bits.mp4": {"pix_fmt": "yuv420p10le", "b_frames": 2},
    "full_range.mp4": {"pix_fmt": "yuvj420p"},
    "four_two_two.mkv": {"codec": "ffv1", "pix_fmt": "yuv422p"},
    "grey.mkv": {"codec": "ffv1", "pix_fmt": "gray"},
    "grey_ten_bits.mkv": {"codec": "ffv1", "pix_fmt": "gray10le"},
    "alpha.webm": {"codec": "libvpx-vp9", "pix_fmt": "yuva420p", "codec_options": FAST_VP9},
    "rgba.mov": {"codec": "png", "pix_fmt": "rgba"},
}


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_is_counted_and_read_by_its_number(name: str, tmp_path: Path) -> None:
    section = Section(write(tmp_path / name, 40, **KINDS[name]))
    assert inspect(section) == Summary(frames=40, damaged=0, fps=25.0)
    assert read(section, list(range(40))) == list(range(40))


@pytest.mark.parametrize("name", ["h264.mp4", "xvid.avi", "live.mkv"])
def test_only_the_frames_asked_for_are_returned(name: str, tmp_path: Path) -> None:
    section = Section(write(tmp_path / name, 40, **KINDS[name]))
    for numbers in ([0], [39], [0, 1, 38, 39], [3, 17, 18, 25]):
        assert read(section, numbers) == numbers


@pytest.mark.parametrize("name", ["irregular.mkv", "irregular.mp4"])
def test_an_irregular_frame_rate_neither_drops_nor_doubles_frames(
    name: str, tmp_path: Path
) -> None:
    steps = np.random.default_rng(0).integers(5, 200, 60)
    steps[30] = 4000  # a still picture of 4 s
    section = Section(write(tmp_path / name, 60, b_frames=2, times=np.cumsum(steps).tolist()))
    assert inspect(section).damaged == 0
    assert read_all(section) == list(range(60))


@pytest.mark.parametrize("b_frames", [0, 2])
def test_empty_packets_of_an_avi_are_no_damage(b_frames: int, tmp_path: Path) -> None:
    times = [0, 1, 2, 5, 6, 7, 8, 30, 31, 32]  # the muxer fills the gaps with empty packets
    path = write(
        tmp_path / "a.avi", 10, codec="mpeg4", b_frames=b_frames, times=times, tick=Fraction(1, 25)
    )
    assert path.read_bytes().count(b"00dc\0\0\0\0") >= 23
    assert inspect(Section(path)).damaged == 0
    assert read_all(Section(path)) == list(range(10))


def test_titles_in_an_old_code_page_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 10, codec="mpeg4", title="XXXXXX")
    path.write_bytes(path.read_bytes().replace(b"XXXXXX", b"\xe9t\xe9\xff\xfe\x80"))
    assert inspect(Section(path)).frames == 10


NAMES = [
    "with space.mp4",
    "a&b!.mp4",
    "[x](y){z}.mp4",
    'it\'s "q".mp4',
    "a,b;c.mp4",
    "new\nline.mp4",
    unicodedata.normalize("NFC", "Ünïcode é.mp4"),
    unicodedata.normalize("NFD", "Ünïcode é.mp4"),
    "日本😀.mp4",
    "-dash.mp4",
    "%03d.mp4",
    "a:b.mp4",
    "http:x.mp4",
    "concat:a|b.mp4",
    "file:x.mp4",
    "subfile,,start,0,end,0,,:x.mp4",
    "a%20b#c?d=e.mp4",
    "$HOME*.mp4",
    "back\\slash.mp4",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_have_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "film.mp4", 3).rename(tmp_path / name)
    assert inspect(Section(tmp_path / name)).frames == 3
    monkeypatch.chdir(tmp_path)
    assert inspect(Section(Path(name))).frames == 3


# how many there are is known before they are decoded, or they are decoded again


def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The numbers that are picked each time a video is decoded."""
    made: list[list[int]] = []
    decoded = video._decoded

    def noted(*arguments: Any) -> video.Sampled:
        sampled = decoded(*arguments)
        made.append(sampled.numbers)
        return sampled

    monkeypatch.setattr(video, "_decoded", noted)
    return made


def last_two(count: int) -> list[int]:
    return [count - 2, count - 1]


@pytest.mark.parametrize("name", ["h264.mp4", "xvid.avi", "open_gop.mkv", "vp9.webm", "h264.ts"])
@pytest.mark.parametrize("stop", [None, 1.2])
def test_a_video_is_decoded_once(
    name: str, stop: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = Section(write(tmp_path / name, 40, **KINDS[name]), None, stop)
    made, last = passes(monkeypatch), [38, 39] if stop is None else [28, 29]
    sampled = video.sample(section, last_two, size=48, resize="squash")
    assert numbers_of(sampled.frames) == sampled.numbers == last
    assert made == [last]


def test_headers_of_avi_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.avi", 40, codec="mpeg4")
    content = path.read_bytes()
    place = content.index(b"strh") + 8 + 32  # the stream's length, in frames
    assert content[place : place + 4] == struct.pack("<I", 40)
    path.write_bytes(content[:place] + struct.pack("<I", 41) + content[place + 4 :])
    made = passes(monkeypatch)
    sampled = video.sample(Section(path), last_two, size=48, resize="squash")
    assert sampled.numbers == [38, 39]
    assert made == [[38, 39]]


@pytest.mark.parametrize("promised", [2, 30, 45, 2**31])
def test_a_header_that_lies_about_the_number_of_frames_costs_a_second_decoding(
    promised: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_file.Reader, "promised_frames", lambda reader: promised)
    section = Section(write(tmp_path / "a.mp4", 40))
    made = passes(monkeypatch)
    sampled = video.sample(section, last_two, size=48, resize="squash")
    assert numbers_of(sampled.frames) == sampled.numbers == [38, 39]
    assert made == [last_two(promised), [38, 39]]


# parts of a video

LONG: dict[str, dict[str, Any]] = {
    "long.mp4": {"gop": 250, "b_frames": 3},
    "long.mkv": {"gop": 250, "b_frames": 3},
    "open_gop.mp4": {"gop": 25, "b_frames": 3, "codec_options": {"x264-params": "open-gop=1"}},
    "fragments.mp4": {"gop": 50, "b_frames": 3, "options": FRAGMENTS},
    "live.mkv": {"gop": 50, "b_frames": 3, "options": {"live": "1"}},
    "long.avi": {"codec": "mpeg4", "gop": 250, "b_frames": 2},
    "plain.avi": {"codec": "mpeg4", "gop": 12},
    "h264.avi": {"gop": 250, "b_frames": 3},
    "long.ts": {"gop": 250, "b_frames": 3},
    "long.mpg": {"codec": "mpeg2video", "gop": 60, "b_frames": 2},
    "long.flv": {"gop": 100},
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_section_holds_the_frames_from_its_start_to_before_its_stop(
    name: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, 300, size=(32, 24), **LONG[name])
    for start, stop in ((0, 1), (1, 3), (4, 5), (6.04, 7.3), (10, None), (None, 0.5)):
        first, last = math.ceil((start or 0) * 25), 300 if stop is None else math.ceil(stop * 25)
        assert read_all(Section(path, start, stop)) == list(range(first, last)), (start, stop)


def test_sections_that_touch_share_no_frame_and_lose_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", 90, fps=30)  # Matroska keeps whole milliseconds: 0.033, 0.067
    cuts = [0, 5 / 30, 1, 61 / 30, 2.5, 3]
    parts = [read_all(Section(path, *cut)) for cut in pairwise(cuts)]
    assert [(part[0], part[-1]) for part in parts] == [
        (0, 4),
        (5, 29),
        (30, 60),
        (61, 74),
        (75, 89),
    ]
    assert [number for part in parts for number in part] == list(range(90))


@pytest.mark.parametrize("name", ["slow.mp4", "slow.mkv"])
def test_frames_that_are_stored_behind_the_key_frame_they_precede_are_found(
    name: str, tmp_path: Path
) -> None:
    options = {"x264-params": "open-gop=1:scenecut=0:b-adapt=0"}
    path = write(tmp_path / name, 60, fps=1, gop=10, b_frames=5, codec_options=options)
    for start in range(24, 36):
        assert read(Section(path, start, start + 3), [0, 1, 2]) == [start, start + 1, start + 2]


def test_a_section_beyond_the_end_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 50)
    with pytest.raises(VideoError, match="no frame of it can be decoded from second 7 on"):
        inspect(Section(path, 7, 8))
    with pytest.raises(VideoError, match=r"it should last until 3\.0 s and ends at 2\.0 s"):
        inspect(Section(path, 1.5, 3))


def test_what_is_lost_is_measured_by_the_section_and_not_by_the_whole_video(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 500, size=(32, 24))
    assert inspect(Section(path, 0, 20.5)).frames == 500
    with pytest.raises(VideoError, match="ends at 20"):
        inspect(Section(path, 19, 20.5))


def test_one_frame_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="only 1 frame"):
        inspect(Section(write(tmp_path / "a.mp4", 1)))
    assert inspect(Section(write(tmp_path / "b.mp4", 2))).frames == 2


def test_a_number_beyond_the_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="frame 9 was counted"):
        read(Section(write(tmp_path / "a.mp4", 5)), [0, 9])


# upright, in size and in colour


def corners(width: int = 96, height: int = 64) -> Picture:
    """Red, green, blue and white quarters, from left to right and top to bottom."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = 220, 30, 30
    picture[: height // 2, width // 2 :] = 30, 220, 30
    picture[height // 2 :, : width // 2] = 30, 30, 220
    picture[height // 2 :, width // 2 :] = 230, 230, 230
    return picture


def quarters(picture: Picture) -> str:
    names = {(1, 0, 0): "R", (0, 1, 0): "G", (0, 0, 1): "B", (1, 1, 1): "W"}
    height, width = picture.shape[:2]
    points = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return "".join(names[tuple((picture[point] > 128).astype(int).tolist())] for point in points)


def by_definition(picture: Picture, a: int, b: int, c: int, d: int) -> Picture:
    """ISO/IEC 14496-12, 6.2.2: what stands at (x, y) is shown at (ax + cy, bx + dy), y down."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    shown_x, shown_y = a * x + c * y, b * x + d * y
    shown_x, shown_y = shown_x - shown_x.min(), shown_y - shown_y.min()
    shown = np.empty((shown_y.max() + 1, shown_x.max() + 1, 3), np.uint8)
    shown[shown_y, shown_x] = picture
    return shown


def with_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Writes a display matrix into the track header of an MP4."""
    content = path.read_bytes()
    place = content.index(struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30),
                          content.index(b"tkhd"))  # fmt: skip
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content[:place] + matrix + content[place + 36 :])


MATRICES = {
    "as_it_is": (1, 0, 0, 1),
    "a_quarter_clockwise": (0, 1, -1, 0),
    "upside_down": (-1, 0, 0, -1),
    "a_quarter_counter_clockwise": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "mirrored_upside_down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed_upside_down": (0, -1, -1, 0),
}


@pytest.mark.parametrize("resize", ["squash", "crop"])
@pytest.mark.parametrize("name", MATRICES)
def test_frames_are_shown_as_the_display_matrix_says(
    name: str, resize: video.Resize, tmp_path: Path
) -> None:
    path = write_pictures(tmp_path / "a.mp4", [corners()] * 3, pix_fmt="yuv444p")
    with_matrix(path, *MATRICES[name])
    shown = films.read(Section(path), [1], size=64, resize=resize)[0]
    assert quarters(shown) == quarters(by_definition(corners(), *MATRICES[name]))


def test_a_film_held_a_quarter_clockwise_has_its_left_side_on_top() -> None:
    assert quarters(by_definition(corners(), *MATRICES["a_quarter_clockwise"])) == "BRWG"


def test_a_rotation_is_known_even_when_other_side_data_is_not() -> None:
    class Unreadable:
        def __getitem__(self, name: str) -> bytes:
            raise ValueError("37 is not a valid Type")

    frame = SimpleNamespace(rotation=-90, side_data=Unreadable())
    assert quarters(video._Upright()(corners(), frame)) == "BRWG"


def stripes(height: int, width: int) -> Picture:
    """Three upright stripes: red, green, blue."""
    colours = np.array([(220, 30, 30), (30, 220, 30), (30, 30, 220)], np.uint8)
    return np.broadcast_to(colours[np.arange(width) * 3 // width], (height, width, 3)).copy()


def test_squash_and_crop_keep_the_whole_picture_and_its_centre_is_the_middle_of_the_longer_side(
    tmp_path: Path,
) -> None:
    path = write_pictures(tmp_path / "a.mp4", [stripes(64, 192)] * 2, pix_fmt="yuv444p")
    squashed, whole = (
        films.read(Section(path), [0], size=32, resize=resize) for resize in ("squash", "crop")
    )
    assert squashed.shape == (1, 32, 32, 3)
    assert whole.shape == (1, 37, 111, 3)  # 32 * 256 / 224 = 36.6
    for picture in (squashed[0], whole[0]):
        assert (picture[:, 4].argmax(-1) == 0).all()
        assert (picture[:, -5].argmax(-1) == 2).all()
    centre = video.centre(whole, 32)
    assert centre.shape == (1, 32, 32, 3)
    assert (centre.argmax(-1) == 1).all()


@pytest.mark.parametrize("shape", [(32, 32), (33, 37), (36, 32)])
def test_the_centre_is_at_most_half_a_pixel_off(shape: tuple[int, int]) -> None:
    places = np.moveaxis(np.indices(shape).astype(np.uint8), 0, -1)[np.newaxis]
    centre = video.centre(places, 32)[0]
    assert centre.shape == (32, 32, 2)
    assert (centre[0, 0] == [(side - 32) // 2 for side in shape]).all()


def test_a_film_held_upright_is_whole_too(tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "a.mp4", [corners(96, 64)] * 2, pix_fmt="yuv444p")
    with_matrix(path, *MATRICES["a_quarter_clockwise"])
    assert films.read(Section(path), [0], size=56, resize="crop").shape == (1, 96, 64, 3)


def test_crop_leaves_an_eighth_of_the_shorter_side_out(tmp_path: Path) -> None:
    """Short side 256 for a size of 224: 16 of 256 rows are lost on either side."""
    picture = numbered(0, (192, 128))
    picture[:8] = picture[-8:] = 255  # 8 of 128 rows
    path = write_pictures(tmp_path / "a.mkv", [picture] * 2, codec="ffv1", pix_fmt="bgr0")
    shown = video.centre(films.read(Section(path), [0], size=112, resize="crop"), 112)[0]
    assert shown[1:-1].max() < 60
    picture[8:12] = picture[-12:-8] = 255
    path = write_pictures(tmp_path / "b.mkv", [picture] * 2, codec="ffv1", pix_fmt="bgr0")
    shown = video.centre(films.read(Section(path), [0], size=112, resize="crop"), 112)[0]
    assert shown[1].min() > 240
    assert shown[-2].min() > 240


def flat(path: Path, planes: tuple[int, int, int], pix_fmt: str, **tags: int) -> Path:
    """A film of one colour, given as Y, Cb and Cr."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, pix_fmt
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for _ in range(2):
            frame = av.VideoFrame(32, 32, pix_fmt)
            for plane, value in zip(frame.planes, planes, strict=True):
                code = struct.pack("<H", value << 2) if "10" in pix_fmt else bytes([value])
                plane.update(code * (plane.buffer_size // len(code)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


FULL, BT709 = 2, 1


@pytest.mark.parametrize(
    ("planes", "pix_fmt", "tags", "colour"),
    [
        ((235, 128, 128), "yuv420p", {}, (255, 255, 255)),
        ((16, 128, 128), "yuv420p", {}, (0, 0, 0)),
        ((235, 128, 128), "yuv420p10le", {}, (255, 255, 255)),
        ((255, 128, 128), "yuv420p", {"color_range": FULL}, (255, 255, 255)),
        ((235, 128, 128), "yuv420p", {"color_range": FULL}, (235, 235, 235)),
        ((16, 128, 128), "yuvj420p", {"color_range": FULL}, (16, 16, 16)),
        ((81, 90, 240), "yuv420p", {}, (255, 0, 0)),
        ((63, 102, 240), "yuv420p", {"colorspace": BT709}, (255, 0, 0)),
    ],
)
def test_colours_follow_the_range_and_the_matrix_that_a_file_names(
    planes: tuple[int, int, int],
    pix_fmt: str,
    tags: dict[str, int],
    colour: tuple[int, int, int],
    tmp_path: Path,
) -> None:
    path = flat(tmp_path / "a.mkv", planes, pix_fmt, **tags)
    shown = films.read(Section(path), [0], size=16, resize="squash").astype(int)
    assert np.abs(shown - colour).max() <= 4


def test_reading_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    section = Section(write(tmp_path / "a.mp4", 20, size=(67, 51), pix_fmt="yuv444p", b_frames=2))
    first, second = (
        films.read(section, [2, 3, 11], size=50, resize="crop").tobytes() for _ in range(2)
    )
    assert first == second
