"""Readers of videos: the decoder, the predictor with its page, the survey of a folder."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import adapted_model
import films
from harmless_page import require_harmless
from hostile_words import Reader

from pipeline import concerns, estimates, inspect, params, prediction_page, video
from pipeline.errors import UserError
from pipeline.predictor import Predictor
from pipeline.video import Section

ROOT = Path(__file__).parent.parent


def _films(codings: Mapping[str, Any]) -> Callable[[Path], list[bytes]]:
    def samples(folder: Path) -> list[bytes]:
        written = (films.write(folder / name, 20, **coding) for name, coding in codings.items())
        return [path.read_bytes() for path in written]

    return samples


def _film(folder: Path) -> object:
    path = folder / "film"
    resize: video.Resize = "crop" if path.stat().st_size % 2 else "squash"
    whole = video.sample(Section(path), lambda n: [0, n - 1], size=32, resize=resize)
    if path.stat().st_size % 3:
        return whole
    return video.sample(Section(path, 0.2, 0.6), lambda n: [0, n - 1], size=32, resize=resize)


_ATOMS = (
    b"moov mdat trak stsz stco stts ctts stss stsc elst avc1 mp4a hvc1 dref udta moof cmov tkhd"
).split()
_CHUNKS = (
    b"RIFF AVI LIST movi idx1 indx 00dc 00db strh strf H264 MJPG FFV1 ZLIB TSCC cvid GEOX hdrl rec"
).split()
_CODECS = (
    b"V_MPEG4/ISO/AVC V_FFV1 V_UNCOMPRESSED V_MS/VFW/FOURCC V_PRORES V_VP9 V_AV1 V_MJPEG NOTE"
).split()
_ELEMENTS = "1f43b675 a3 ae 5035 5034 42548100 01ffffffffffffff ff"
EBML = [*_CODECS, *map(bytes.fromhex, _ELEMENTS.split())]
_PACKS = [b"\0\0\1" + bytes([kind]) for kind in (0xBA, 0xBB, 0xE0, 0xB3, 0xB8, 0)]
LEADS = (b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", b"ffconcat version 1.0\nfile /etc/passwd\n")

_FILMS: Mapping[str, tuple[Sequence[bytes], Mapping[str, Any]]] = {
    "mp4": (
        _ATOMS,
        {
            "a.mp4": {},
            "b.mp4": {"options": {"movflags": "faststart"}, "b_frames": 2},
            "c.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
            "d.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
            "e.mov": {"codec": "png", "pix_fmt": "rgb24"},
        },
    ),
    "avi": (
        _CHUNKS,
        {
            "a.avi": {"codec": "mpeg4"},
            "b.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
            "c.avi": {"codec": "ffv1"},
            "d.avi": {"codec": "msmpeg4v2"},
        },
    ),
    "mkv": (
        EBML,
        {
            "a.mkv": {},
            "b.mkv": {"codec": "ffv1"},
            "c.webm": {"codec": "libvpx"},
            "d.webm": {"codec": "libvpx-vp9"},
            "e.mkv": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
        },
    ),
    "mpg": (
        _PACKS,
        {
            "a.mpg": {"codec": "mpeg1video"},
            "b.mpg": {"codec": "mpeg2video"},
            "c.ts": {},
            "d.ts": {"codec": "mpeg2video"},
            "e.wmv": {"codec": "wmv2"},
            "f.flv": {"codec": "flv"},
        },
    ),
}

# what the predictor says of a video, and the page that shows it


@cache
def _predictor(folder: Path) -> Predictor:
    return Predictor.load(folder / "models/adapted")


def _predict(folder: Path) -> object:
    predictor, page = _predictor(folder), folder / "said.html"
    said = predictor(folder / "film")
    prediction_page.write(page, [said], [], predictor, top=3)
    require_harmless(page.read_text())
    return said


# what the survey of a folder says


def _folder(folder: Path) -> None:
    for name in ("walk/b.mp4", "run/c.mp4", "run/d.mp4"):
        (folder / "films" / name).parent.mkdir(parents=True, exist_ok=True)
        films.write(folder / "films" / name, 12)


def _inspect(folder: Path) -> object:
    """All that is told of the folder. Raises UserError if one of its videos cannot be opened."""
    p = params.load(ROOT / "params.yaml")
    looked = inspect.look("films", p)
    told = [inspect.describe(looked), *concerns.of_domain("films", looked.headers, looked.faults)]
    told += concerns.of_pair(looked.headers, looked.headers)
    told += estimates.per_video(looked.headers, estimates.Costs(*[1.0] * 6), p, start=0.0)
    if looked.faults:
        raise UserError("\n".join(told))
    return told


_ANY = {name: coding for _, codings in _FILMS.values() for name, coding in codings.items()}
_ALL = [word for words, _ in _FILMS.values() for word in words]
VIDEOS: Mapping[str, Reader] = {
    f"video_{kind}": Reader("film", _films(codings), _film, (*words, *LEADS))
    for kind, (words, codings) in _FILMS.items()
}
SEEN: Mapping[str, Reader] = {
    "predict": Reader(
        "film", _films(_ANY), _predict, (*_ALL, *LEADS), lambda folder: adapted_model.write()
    ),
    "inspect": Reader("films/walk/a.mp4", _films(_ANY), _inspect, (*_ALL, *LEADS), _folder),
}
