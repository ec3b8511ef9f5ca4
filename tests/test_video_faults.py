"""Files that are no video, or no longer one: each is refused in one plain line."""

import random
import re
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import av
import pytest
from films import inspect, write, write_sound

from pipeline import video
from pipeline.errors import VideoError
from pipeline.video import Section

INDEX_FIRST = {"movflags": "faststart"}
Make = Callable[[Path], Path]


def reason(section: Section) -> str:
    """Why a section is refused: one line, without a path or an error number."""
    with pytest.raises(VideoError) as caught:
        inspect(section)
    text = str(caught.value)
    assert "\n" not in text
    assert str(section.path.parent) not in text
    assert not re.search(r"Errno|\d{6,}(?!\.\d s)", text)
    return text


def store(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def film(path: Path, count: int = 200, **coding: Any) -> bytes:
    return write(path.with_stem("whole"), count, **coding).read_bytes()


def part(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def patched(content: bytes, after: bytes, offset: int, value: bytes, start: int = 0) -> bytes:
    """`content` with `value` written `offset` bytes behind the end of the first `after`."""
    place = content.index(after, start) + len(after) + offset
    return content[:place] + value + content[place + len(value) :]


def noisy(content: bytes, first: float, last: float) -> bytes:
    """`content` with noise between two shares of its length."""
    begin, end = int(len(content) * first), int(len(content) * last)
    return content[:begin] + random.Random(0).randbytes(end - begin) + content[end:]


def without_index(path: Path) -> bytes:
    """An MP4 that was cut before its index, which stands at the end."""
    content = film(path)
    return content[: content.index(b"moov") - 4]


def header_alone(path: Path, codec: str) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path


FAULTS: dict[str, tuple[Make, str]] = {
    "empty.mp4": (lambda p: store(p, b""), r"the file is empty \(0 bytes\)"),
    "missing.mp4": (lambda p: p, r"No such file or directory"),
    "text.avi": (lambda p: store(p, "no video\n" * 999), "cannot be opened as a video"),
    "zeros.mp4": (lambda p: store(p, bytes(99999)), "cannot be opened as a video"),
    "noise.mpg": (lambda p: store(p, random.Random(0).randbytes(10**5)), "cannot be opened"),
    "index_cut_off.mp4": (lambda p: store(p, without_index(p)), "it may be cut off"),
    "cut_half.mp4": (
        lambda p: store(p, part(film(p, options=INDEX_FIRST), 0.5)),
        r"cut off: it should last until 8\.0 s and ends at [0-4]\.\d s",
    ),
    "cut_at_90.mp4": (
        lambda p: store(p, part(film(p, options=INDEX_FIRST), 0.9)),
        r"cut off: it should last until 8\.0 s and ends at [567]\.\d s",
    ),
    "cut_half.avi": (
        lambda p: store(p, part(film(p, codec="mpeg4"), 0.5)),
        "cut off: it says that it is longer",
    ),
    "cut_half_short.avi": (
        lambda p: store(p, part(film(p, 50, size=(192, 144), codec="mpeg4", gop=1), 0.5)),
        "cut off: it says that it is longer",
    ),
    "cut_half.mkv": (
        lambda p: store(p, part(film(p), 0.5)),
        r"cut off: it should last until 8\.0 s and ends at",
    ),
    "sound.m4a": (write_sound, "no video in it, sound or still pictures only"),
    "sound.mp4": (write_sound, "no video in it, sound or still pictures only"),
    "sound.wav": (lambda p: write_sound(p, "pcm_s16le"), "another format"),
    "cover.mp4": (lambda p: write_sound(p, cover=True), "sound or still pictures only"),
    "one_frame.avi": (lambda p: write(p, 1, codec="mpeg4"), "only 1 frame"),
    "one_frame.mkv": (lambda p: write(p, 1), "only 1 frame"),
    "header.avi": (lambda p: header_alone(p, "mpeg4"), "no frame of it can be decoded"),
    "header.mp4": (lambda p: header_alone(p, "mpeg4"), "nothing in it: a header alone"),
    "header.mkv": (lambda p: header_alone(p, "ffv1"), "it may be cut off"),
    "codec.mkv": (
        lambda p: store(p, film(p).replace(b"V_MPEG4/ISO/AVC", b"V_MPEGX/ISO/XYZ")),
        "no decoder",
    ),
    "noise_inside.mp4": (
        lambda p: store(p, noisy(film(p, 200, size=(256, 192), options=INDEX_FIRST), 0.5, 0.7)),
        r"damaged: \d+ of 200 frames are missing or do not decode",
    ),
    "noise_inside.avi": (
        lambda p: store(p, noisy(film(p, codec="mpeg4"), 0.4, 0.6)),
        "cut off|damaged",
    ),
    "noise_inside.mkv": (
        lambda p: store(p, noisy(film(p, codec="mjpeg", pix_fmt="yuvj420p"), 0.4, 0.6)),
        r"damaged: \d+ of 200 frames are missing",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_file_is_refused_in_one_plain_line(name: str, tmp_path: Path) -> None:
    make, expected = FAULTS[name]
    assert re.search(expected, reason(Section(make(tmp_path / name))))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").mkdir()
    assert "Is a directory" in reason(Section(tmp_path / "a.mp4"))


def test_a_section_of_a_file_that_ends_before_it_is_refused(tmp_path: Path) -> None:
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    content = write(tmp_path / "a.mp4", 200, options=fragments).read_bytes()
    first = content.index(b"moof") - 4
    assert "cannot be reached" in reason(Section(store(tmp_path / "b.mp4", content[:first]), 5, 6))
    cut = store(tmp_path / "c.mkv", part(write(tmp_path / "d.mkv", 200).read_bytes(), 0.5))
    assert "from second 7 on" in reason(Section(cut, 7, 8))


def without_packets(path: Path, lost: Container[int], broken: Container[int]) -> Path:
    """A film of which some packets are left out, and some have their first bytes turned."""
    with av.open(str(path)) as source, av.open(str(path.with_stem("less")), "w") as target:
        stream: Any = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for number, packet in enumerate(packets):
            packet.stream = stream
            if number in broken:
                packet.update(bytes(byte ^ 0xFF for byte in bytes(packet)))
            if number not in lost:
                target.mux(packet)
    return path.with_stem("less")


def test_a_little_damage_is_counted_and_tolerated(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mkv", 60, codec="mjpeg", pix_fmt="yuvj420p")
    section = Section(without_packets(whole, lost=(), broken=(20, 30)))
    assert inspect(section) == video.Summary(frames=58, damaged=2, fps=25.0)


def test_a_hole_is_a_still_picture_unless_something_else_is_broken(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mkv", 60, codec="mjpeg", pix_fmt="yuvj420p")
    still = without_packets(whole, lost=range(20, 40), broken=())
    assert inspect(Section(still)) == video.Summary(frames=40, damaged=0, fps=25.0)
    hole = without_packets(whole, lost=range(20, 40), broken=(10,))
    assert "damaged: 21 of 60 frames are missing or do not decode" in reason(Section(hole))


def test_a_stream_that_begins_behind_the_film_is_no_bug(tmp_path: Path) -> None:
    sound = bytearray(write_sound(tmp_path / "sound.ts").read_bytes())
    for packet in range(0, len(sound), 188):  # under a number that no packet of the film has
        if sound[packet + 1] & 0x1F == 1 and sound[packet + 2] == 0:
            sound[packet + 2] = 1
    content = film(tmp_path / "film.ts", 400) + sound * 40
    section = Section(store(tmp_path / "both.ts", content))
    assert inspect(section) == video.Summary(frames=399, damaged=1, fps=25.0)


# files that lead elsewhere


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
def test_a_playlist_never_reaches_the_network(name: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        assert "cannot be opened" in reason(Section(store(tmp_path / name, playlist)))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8"])
@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfilm.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile film.ts\n",
    ],
)
def test_a_playlist_does_not_stand_for_other_files(
    playlist: str, name: str, tmp_path: Path
) -> None:
    write(tmp_path / "film.ts", 20)
    assert "cannot be opened" in reason(Section(store(tmp_path / name, playlist)))


# headers that lie

HUGE = struct.pack(">I", 0x7FFFFFF0)
MANY = struct.pack(">I", 0x05000000)
MEASURE = """
import sys
from pathlib import Path
from pipeline import video
from pipeline.errors import VideoError
for name in sys.argv[1:]:
    try:
        section = video.Section(Path(name))
        print(video.sample(section, lambda n: [0, n - 1], size=16, resize='squash').summary)
    except VideoError as fault:
        print("refused:", fault)
# not getrusage: its peak is also that of the process which started this one
[peak] = [row for row in Path("/proc/self/status").open() if row.startswith("VmHWM")]
print(int(peak.split()[1]) // 1024)
"""


def mp4(folder: Path) -> bytes:
    return film(folder / "a.mp4", options=INDEX_FIRST, b_frames=2)


def avi(folder: Path) -> bytes:
    return film(folder / "a.avi", codec="mpeg4")


def mkv(folder: Path) -> bytes:
    return film(folder / "a.mkv")


def many_samples(folder: Path) -> bytes:
    """84 million frames of 10 bytes: FFmpeg fills gigabytes with their index, if it is let."""
    content = patched(mp4(folder), b"stsz", 4, struct.pack(">I", 10) + MANY)
    return patched(content, b"stsc", 12, MANY)


def wide_jpegs(folder: Path) -> bytes:
    content = film(folder / "a.avi", 20, codec="mjpeg", pix_fmt="yuvj420p")
    return re.sub(rb"(?s)(\xff\xc0...)....", rb"\1" + struct.pack(">HH", 65000, 65000), content)


CLUSTER, DURATION = bytes.fromhex("1F43B675"), b"\x44\x89\x88"
LIES: dict[str, Callable[[Path], bytes]] = {
    "mdat.mp4": lambda d: patched(mp4(d), b"mdat", -8, HUGE),
    "mdat_5_tb.mp4": lambda d: mp4(d).replace(
        mp4(d)[mp4(d).index(b"mdat") - 4 :][:8],
        struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 5 << 40),
    ),
    "moov.mp4": lambda d: patched(mp4(d), b"moov", -8, HUGE),
    "samples.mp4": lambda d: patched(mp4(d), b"stsz", 8, HUGE),
    "equal_samples.mp4": many_samples,
    "times.mp4": lambda d: patched(mp4(d), b"stts", 4, HUGE),
    "order.mp4": lambda d: patched(mp4(d), b"ctts", 4, HUGE),
    "chunks.mp4": lambda d: patched(mp4(d), b"stco", 4, HUGE),
    "key_frames.mp4": lambda d: patched(mp4(d), b"stss", 4, HUGE),
    "frames.avi": lambda d: patched(avi(d), b"avih", 20, b"\xff\xff\xff\x7f"),
    "length.avi": lambda d: patched(avi(d), b"strh", 36, b"\xff\xff\xff\x7f"),
    "chunk.avi": lambda d: patched(avi(d), b"00dc", 0, b"\xf0\xff\xff\x7f", avi(d).index(b"movi")),
    "index.avi": lambda d: patched(avi(d), b"idx1", 0, b"\xf0\xff\xff\x7f"),
    "cluster.mkv": lambda d: patched(mkv(d), CLUSTER, 0, b"\x01" + (1 << 45).to_bytes(7, "big")),
    "block.mkv": lambda d: patched(mkv(d), b"\xa3", 0, b"\x1f\xff\xff\xf0", mkv(d).index(CLUSTER)),
    "duration.mkv": lambda d: patched(mkv(d), DURATION, 0, struct.pack(">d", 1e12)),
    "side.avi": wide_jpegs,
}  # fmt: skip


def test_headers_that_lie_cost_neither_memory_nor_the_process(tmp_path: Path) -> None:
    """Each lie ends in a refusal or in all that is really there."""
    files = [str(store(tmp_path / name, make(tmp_path))) for name, make in LIES.items()]
    root = Path(video.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *files],
        capture_output=True, text=True, timeout=60, check=True, cwd=root,
    )  # fmt: skip
    *answers, megabytes = done.stdout.splitlines()
    said = dict(zip(LIES, answers, strict=True))
    for name, answer in said.items():
        assert answer.startswith("refused: ") or re.search(r"frames=(199|200),", answer), name
    assert all(said[name].startswith("refused: ") for name in said if name.endswith(".mp4")
               if name not in ("mdat.mp4", "moov.mp4", "chunks.mp4"))  # fmt: skip
    assert "cut off" in said["length.avi"]
    assert "cut off" in said["duration.mkv"]
    assert "no frame" in said["side.avi"]
    assert int(megabytes) < 600


def test_the_bound_on_memory_ends_with_the_reading(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    inspect(Section(write(tmp_path / "a.mp4", 3)))
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    reason(Section(store(tmp_path / "b.mp4", "no video")))
    assert resource.getrlimit(resource.RLIMIT_AS) == before
