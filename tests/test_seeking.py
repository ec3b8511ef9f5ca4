"""Frames out of long videos: the same as if all had been decoded, for less."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from films import numbers_of, write

from pipeline import seeking, video, video_file
from pipeline.errors import VideoError
from pipeline.seeking import Stretch, Timeline
from pipeline.video import Section

FEW = [5, 6, 100, 101, 102, 103, 260, 261, 262, 287]
TIMELINE = Timeline(shown=range(0, 1000, 10), keys=[0, 200, 400, 600])


# which stretches lead to which frames


def test_a_stretch_leads_from_the_key_frame_before_to_the_last_wanted_frame() -> None:
    assert seeking.stretches(TIMELINE, [22, 25, 60]) == [
        Stretch(range(200, 260, 10), [220, 250]),
        Stretch(range(600, 610, 10), [600]),
    ]


def test_all_is_decoded_where_stretches_would_be_half_of_it_or_more() -> None:
    assert seeking.stretches(TIMELINE, [19, 39, 49]) is not None  # 20 + 20 + 10 frames of 100
    assert seeking.stretches(TIMELINE, [19, 39, 50]) is None


def test_a_frame_before_the_first_key_frame_cannot_be_reached() -> None:
    assert seeking.stretches(Timeline(range(10), keys=[2]), [1]) is None
    assert seeking.stretches(Timeline(range(10), keys=[2]), [2]) == [Stretch(range(2, 3), [2])]


# out of files


@pytest.fixture(autouse=True)
def _short_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "LONG", 200)


OPEN = {"x264-params": "open-gop=1:scenecut=0"}
KINDS: dict[str, dict[str, Any]] = {
    "closed.mp4": {"gop": 25, "b_frames": 3},
    "open.mp4": {"gop": 25, "b_frames": 3, "codec_options": OPEN},
    "open.mkv": {"gop": 25, "b_frames": 3, "codec_options": OPEN},
    "fragments.mp4": {"gop": 25, "options": {"movflags": "frag_keyframe+empty_moov"}},
    "mpeg4.mov": {"codec": "mpeg4", "gop": 12, "b_frames": 2},
    "vp9.webm": {"codec": "libvpx-vp9", "gop": 25, "codec_options": {"deadline": "realtime"}},
    "vp8.webm": {"codec": "libvpx", "gop": 25, "codec_options": {"auto-alt-ref": "1"}},
    "all_keys.mkv": {"codec": "ffv1", "gop": 1},
    "packets.avi": {"codec": "mpeg4", "gop": 12},
    "cameras.ts": {"gop": 25, "b_frames": 3},
}
SOUGHT = KINDS.keys() - {"packets.avi", "cameras.ts"}  # the others have no index to be trusted


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list whose length is the number of frames that have been decoded."""
    made: list[int] = []
    frames = video_file.Reader._decoded

    def noted(reader: video_file.Reader) -> Any:
        for frame in frames(reader):
            made.append(1)
            yield frame

    monkeypatch.setattr(video_file.Reader, "_decoded", noted)
    return made


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_those_of_a_whole_decoding(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = Section(write(tmp_path / name, 300, **KINDS[name]))
    whole = video._decoded(section, lambda count: FEW, 48, "squash")
    made = decoded(monkeypatch)
    sampled = video.sample(section, lambda count: FEW, size=48, resize="squash")
    assert sampled.numbers == numbers_of(sampled.frames) == FEW
    assert sampled.summary == whole.summary
    assert (sampled.frames == whole.frames).all()
    assert (len(made) < 150) == (name in SOUGHT)


def test_a_short_video_is_decoded_and_checked_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section, made = Section(write(tmp_path / "a.mp4", 199, gop=25)), decoded(monkeypatch)
    video.sample(section, lambda count: FEW[:4], size=48, resize="squash")
    assert len(made) == 199


def test_many_frames_and_parts_of_videos_are_decoded_at_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, made = write(tmp_path / "a.mp4", 300, gop=25), decoded(monkeypatch)
    video.sample(Section(path), lambda count: [*range(150), 299], size=48, resize="squash")
    assert len(made) == 300
    sampled = video.sample(Section(path, 4), lambda count: [0, 1], size=48, resize="squash")
    assert numbers_of(sampled.frames) == [100, 101]


def test_a_header_that_lies_about_the_number_of_frames_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_file.Reader, "likely_frames", lambda reader: 9999)
    section = Section(write(tmp_path / "a.mp4", 300, gop=25))
    sampled = video.sample(section, lambda count: [0, count - 1], size=48, resize="squash")
    assert numbers_of(sampled.frames) == sampled.numbers == [0, 299]


def test_where_packets_and_frames_disagree_all_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section, made = Section(write(tmp_path / "a.mp4", 300, gop=25)), decoded(monkeypatch)
    timeline = video_file.Reader.timeline

    def without_one(reader: video_file.Reader) -> Timeline | None:
        told = timeline(reader)
        return told and Timeline([*told.shown[:102], *told.shown[103:]], told.keys)

    monkeypatch.setattr(video_file.Reader, "timeline", without_one)
    sampled = video.sample(section, lambda count: FEW, size=48, resize="squash")
    assert numbers_of(sampled.frames) == FEW
    assert len(made) > 300


def damaged(path: Path, first: int, last: int) -> Path:
    """Overwrites what the packets of these frames hold."""
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    for packet in packets[first : last + 1]:
        assert packet.pos is not None
        inside = slice(packet.pos + 4, packet.pos + packet.size)
        content[inside] = np.random.default_rng(0).bytes(packet.size - 4)
    path.write_bytes(content)
    return path


def test_damage_on_the_way_to_a_frame_is_measured_over_the_whole_video(tmp_path: Path) -> None:
    path = damaged(write(tmp_path / "a.mp4", 300, gop=25), 100, 149)
    with pytest.raises(VideoError, match="damaged"):
        video.sample(Section(path), lambda count: FEW, size=48, resize="squash")


def test_a_video_that_is_cut_off_is_found_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 300, gop=25, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError, match="cut off"):
        video.sample(Section(path), lambda count: [0, 1], size=48, resize="squash")
