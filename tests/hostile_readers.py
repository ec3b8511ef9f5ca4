"""What reads files of others, each with whole samples of its format and words that mean something.

A reader gets a folder in which one file, `place`, is a mutant and the others are whole.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import films
import h5py
import npz_files
import numpy as np
import safetensors.torch
import torch
from pandas_pickles import frame, pandas_pickle

from pipeline import (
    backbones,
    checkpoints,
    extraction,
    feature_files,
    imported,
    index,
    lossless,
    params,
    shards,
    store,
    trajectory,
    video,
)
from pipeline.backbones import weights
from pipeline.datasets import (
    csv_listing,
    epic_kitchens,
    hmdb51,
    olympic_sports,
    ucf101,
)
from pipeline.datasets import imported as listed_features
from pipeline.datasets.listing import Listed
from pipeline.per_video import Job
from pipeline.video import Section
from pipeline.video_clips import Published

ROOT = Path(__file__).parent.parent
CANARY = "executed"
WORDS = tuple(
    text.encode("utf-8", "surrogatepass")
    for text in (
        *(
            "../outside/walk/secret.avi 1",
            "../outside/secret.mp4",
            "/etc/passwd 1",
            "..",
            "../",
            "/",
            "/etc/passwd",
            "\\",
            "",
            " ",
            "\t",
            "\n",
            "\r",
            "\r\n",
            "\0",
            ",",
            '"',
            "'",
        ),
        *(
            "-rf",
            "--help",
            "http://127.0.0.1:9/",
            "file:",
            "concat:a|b",
            "=cmd()",
            "<script>",
            "%s%n",
        ),
        *("0", "-1", "1e999", "nan", "9" * 5000, "1" * 400, "null", "true", "{}", "[]", "a" * 300),
        *(
            "\u202e",
            "\u2028",
            "\x85",
            "\ufeff",
            "e\u0301",
            "\u00e9",
            "\U0001f600",
            "\x1b[2J",
            "\x7f",
            "\ud800",
        ),
    )
)


@dataclass(frozen=True)
class Reader:
    """What reads `place` in a folder, whole samples of it, and what stands beside it."""

    place: str
    samples: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    words: tuple[bytes, ...] = WORDS
    prepare: Callable[[Path], object] = lambda folder: None


# videos


def _films(*codings: tuple[str, dict[str, Any]]) -> Callable[[Path], list[bytes]]:
    def samples(folder: Path) -> list[bytes]:
        return [films.write(folder / name, 20, **coding).read_bytes() for name, coding in codings]

    return samples


def _film(folder: Path) -> object:
    path = folder / "film"
    resize: video.Resize = "crop" if path.stat().st_size % 2 else "squash"
    whole = video.sample(Section(path), lambda n: [0, n - 1], size=32, resize=resize)
    if path.stat().st_size % 3:
        return whole
    return video.sample(Section(path, 0.2, 0.6), lambda n: [0, n - 1], size=32, resize=resize)


_ATOMS = (
    b"moov",
    b"mdat",
    b"trak",
    b"stsz",
    b"stco",
    b"stts",
    b"ctts",
    b"stss",
    b"stsc",
    b"elst",
    b"avc1",
    b"mp4a",
    b"hvc1",
    b"dref",
    b"url ",
    b"alis",
    b"udta",
    b"moof",
    b"cmov",
    b"tkhd",
)
_CHUNKS = (
    b"RIFF",
    b"AVI ",
    b"LIST",
    b"movi",
    b"idx1",
    b"indx",
    b"00dc",
    b"00db",
    b"strh",
    b"strf",
    b"H264",
    b"MJPG",
    b"FFV1",
    b"PNG ",
    b"ZLIB",
    b"TSCC",
    b"cvid",
    b"GEOX",
    b"hdrl",
    b"rec ",
)
_EBML = (
    b"\x1f\x43\xb6\x75",
    b"\xa3",
    b"\xae",
    b"\x50\x35",
    b"\x50\x34",
    b"\x42\x54\x81\x00",
    b"V_MPEG4/ISO/AVC",
    b"V_FFV1",
    b"V_UNCOMPRESSED",
    b"V_MS/VFW/FOURCC",
    b"V_PRORES",
    b"\x01\xff\xff\xff\xff\xff\xff\xff",
    b"\xff",
    b"V_VP9",
    b"V_AV1",
    b"V_MJPEG",
    b"NOTE",
)
_PACKS = (
    b"\0\0\1\xba",
    b"\0\0\1\xbb",
    b"\0\0\1\xe0",
    b"\0\0\1\xb3",
    b"\0\0\1\xb8",
    b"\0\0\1\0",
    b"G",
)
_LEADS = (b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", b"ffconcat version 1.0\nfile /etc/passwd\n")

VIDEOS: Mapping[str, Reader] = {
    f"video_{kind}": Reader("film", _films(*codings), _film, (*words, *_LEADS))
    for kind, words, codings in (
        (
            "mp4",
            _ATOMS,
            [
                ("a.mp4", {}),
                ("b.mp4", {"options": {"movflags": "faststart"}, "b_frames": 2}),
                ("c.mp4", {"options": {"movflags": "frag_keyframe+empty_moov"}}),
                ("d.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
                ("e.mov", {"codec": "png", "pix_fmt": "rgb24"}),
            ],
        ),
        (
            "avi",
            _CHUNKS,
            [
                ("a.avi", {"codec": "mpeg4"}),
                ("b.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
                ("c.avi", {"codec": "ffv1"}),
                ("d.avi", {"codec": "msmpeg4v2"}),
            ],
        ),
        (
            "mkv",
            _EBML,
            [
                ("a.mkv", {}),
                ("b.mkv", {"codec": "ffv1"}),
                ("c.webm", {"codec": "libvpx"}),
                ("d.webm", {"codec": "libvpx-vp9"}),
                ("e.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
            ],
        ),
        (
            "mpg",
            _PACKS,
            [
                ("a.mpg", {"codec": "mpeg1video"}),
                ("b.mpg", {"codec": "mpeg2video"}),
                ("c.ts", {}),
                ("d.ts", {"codec": "mpeg2video"}),
                ("e.wmv", {"codec": "wmv2"}),
                ("f.flv", {"codec": "flv"}),
            ],
        ),
    )
}


# lists


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"a film")


def _inside(videos: Sequence[Listed | index.Video]) -> object:
    """The videos, none of whose files is outside of the folder that this process works in."""
    here = Path.cwd().resolve()
    outside = [v.path for v in videos if not (here / v.path).resolve().is_relative_to(here)]
    assert not outside, outside
    return videos


def _text(*lines: str) -> Callable[[Path], list[bytes]]:
    return lambda folder: ["".join(f"{line}\n" for line in lines).encode()]


def _hmdb(folder: Path) -> None:
    names = [f"videos/{c}/{c}_{n}.avi" for c in ("walk", "golf") for n in range(3)]
    _touch(folder, *names, "../outside/walk/secret.avi")
    _touch(folder, "testTrainMulti_7030_splits/golf_test_split1.txt")
    text = "".join(f"golf_{n}.avi {n}\n" for n in range(3))
    (folder / "testTrainMulti_7030_splits/golf_test_split1.txt").write_text(text)


def _ucf(folder: Path) -> None:
    names = [f"UCF-101/{c}/v_{c}_{n}.avi" for c in ("Archery", "Biking") for n in range(3)]
    _touch(folder, *names, "../outside/Archery/secret.avi", "ucfTrainTestlist/testlist01.txt")
    (folder / "ucfTrainTestlist/testlist01.txt").write_text("Archery/v_Archery_2.avi\n")


def _olympic(folder: Path) -> None:
    for own in olympic_sports.CLASSES:
        _touch(folder, *(f"clips/{own}/{n}.avi" for n in range(3)))
        for split, name in (("train", "0"), ("test", "1")):
            _touch(folder, f"train_test_split/{split}/{own}.txt")
            (folder / f"train_test_split/{split}/{own}.txt").write_text(f"{name}\n")


LISTS: Mapping[str, Reader] = {
    "hmdb51": Reader(
        "testTrainMulti_7030_splits/walk_test_split1.txt",
        _text("walk_0.avi 1", "walk_1.avi 2", "walk_2.avi 0", "absent.avi 1"),
        lambda folder: _inside(hmdb51.list_videos(folder, None)),
        prepare=_hmdb,
    ),
    "ucf101": Reader(
        "ucfTrainTestlist/trainlist01.txt",
        _text("Archery/v_Archery_0.avi 1", "Biking/v_Biking_1.avi 11", "Biking/absent.avi 11"),
        lambda folder: _inside(ucf101.list_videos(folder, None)),
        prepare=_ucf,
    ),
    "olympic_sports": Reader(
        "train_test_split/train/bowling.txt",
        _text("0", "2"),
        lambda folder: _inside(olympic_sports.list_videos(folder, None)),
        prepare=_olympic,
    ),
    "csv": Reader(
        "videos.csv",
        lambda folder: [
            b"video,label,split\nwalk/a.mp4,walk,train\nb.mp4,run,test\n",
            b'video,label\r\n"walk/a.mp4","walk, slowly"\r\n',
            b"\xef\xbb\xbfvideo\nb.mp4\n",
        ],
        lambda folder: _inside(csv_listing.read_csv(folder / "videos.csv", folder, None)),
        prepare=lambda folder: _touch(folder, "walk/a.mp4", "b.mp4", "../outside/secret.mp4"),
    ),
}


# tables of the index


def _index(folder: Path) -> object:
    path = folder / "table.csv"
    return index.read_labels(path), index.read_classes(path), _inside(index.read_videos(path))


_HEADER = "key,path,start,stop,split,sha256,label,class"
TABLES: Mapping[str, Reader] = {
    "index": Reader(
        "table.csv",
        _text(_HEADER, "a,a.mp4,,,train,00,walk,walk", '"b,c",b.mp4,0.5,1.5,test,11,run,run'),
        _index,
    ),
}


# EPIC's pickles

_COLUMNS: Mapping[object, list[object]] = {
    "uid": [1, 2, 3],
    "participant_id": ["P08"] * 3,
    "video_id": ["P08_01", "P08_02", "P08_01"],
    "start_timestamp": ["00:00:01.00", "00:00:02.50", "00:01:00.00"],
    "stop_timestamp": ["00:00:02.00", "00:00:03.50", "00:01:01.00"],
    "verb_class": [0, 1, 2],
}
_OPCODES = (
    *(
        b"cos\nsystem\n",
        b"(S'touch executed'\ntR",
        b"\x8c\x02os\x8c\x06system\x93",
        b"\x85",
        b"\x86",
    ),
    *(b"\x94", b"h\0", b"j\0\0\0\0", b"0", b"1", b"2", b"(", b"t", b"l", b"d", b"}", b"]", b")"),
    *(b"s", b"u", b"a", b"e", b"b", b"R", b"\x81", b"\x92", b"N", b"\x88", b"K\1", b"L99999L\n"),
    *(b"\x8f", b"\x90", b"\x91", b"r\xff\xff\xff\x7f", b"p99999999999\n", b"P1\n", b"Q", b"\x82\1"),
    *(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f", b"cbuiltins\neval\n", b"."),
    b")" + b"2\x86" * 60,
)


def _pickles(folder: Path) -> list[bytes]:
    table = frame(_COLUMNS)
    return [pandas_pickle(table, protocol) for protocol in (3, 4)]


def _epic(folder: Path) -> None:
    _touch(folder, "P08/P08_01.MP4")
    others = frame({**_COLUMNS, "uid": [4, 5, 6]})
    (folder / "D1_test.pkl").write_bytes(pandas_pickle(others, protocol=4))


PICKLES: Mapping[str, Reader] = {
    "epic": Reader(
        "D1_train.pkl",
        _pickles,
        lambda folder: epic_kitchens.list_videos(
            folder, {"take": "take", "put": "put", "open": "open"}, "D1"
        ),
        _OPCODES,
        _epic,
    ),
}


# features


def _npz(folder: Path) -> list[bytes]:
    labels: dict[str, Any] = {"label": np.array(["walk", ""]), "split": np.array(["train", "test"])}
    arrays = npz_files.arrays("a", "b/ü.mp4", extractor="i3d", **labels)
    contents = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **arrays)
        contents.append(buffer.getvalue())
    return contents


def _read_npz(folder: Path) -> object:
    videos = listed_features.list_videos(folder, None)
    rows = [index.Video(v.key, v.path, None, None, v.split, "") for v in videos]
    return imported.rows(folder, rows), feature_files.read(folder / "a.npz")


def _stored(folder: Path, count: int = 3) -> bytes:
    drawn = np.random.default_rng(0).random((2, count, 2, 1, 4), np.float32)
    frames = np.zeros((2, 1, 8), np.int32)
    rows = {
        f"walk/{n}.mp4": store.VideoFeatures(
            f"{n:064x}", drawn[0, n], drawn[1, n], frames, n_frames=100, fps=25.0
        )
        for n in range(count)
    }
    store.write(folder / "stored", rows, {"features": {"backbone": "i3d_nano"}})
    return (folder / "stored/0000.h5").read_bytes()


def _hdf5(folder: Path) -> list[bytes]:
    whole = _stored(folder)
    samples = [whole]
    ways: list[dict[str, Any]] = [{"compression": "gzip"}, {"shuffle": True}, {"chunks": True}]
    for number, options in enumerate(ways):
        path = folder / f"{number}.hdf5"
        with h5py.File(folder / "stored/0000.h5") as source, h5py.File(path, "w") as file:
            file.attrs.update(source.attrs)
            for name in source:
                file.create_dataset(name, data=source[name][:], **options)
        samples.append(path.read_bytes())
    return samples


_OBJECTS = (
    b"OHDR",
    b"TREE",
    b"SNOD",
    b"HEAP",
    b"GCOL",
    b"FRHP",
    b"BTHD",
    b"FADB",
    b"\x89HDF\r\n\x1a\n",
    b"rgb\0",
    b"flow\0",
    b"key\0",
    b"schema\0",
    b"\xff" * 8,
    b"provenance\0",
)


# models and weights


def _card() -> checkpoints.Card:
    return checkpoints.Card(("jump", "run"), 8, 2, 0.3, {"features": {"backbone": "i3d_nano"}})


def _model(folder: Path) -> None:
    card = _card()
    checkpoints.save(folder / "model", {0: card.new_network(0)}, card, [{"seed": 0, "epoch": 1}])


def _of_model(name: str) -> Callable[[Path], list[bytes]]:
    return lambda folder: [(folder / "model" / name).read_bytes()]


def _read_model(folder: Path) -> object:
    card, models = checkpoints.load(folder / "model")
    card.require_features({"features": {"backbone": "i3d_nano"}}, folder)
    return models


def _checkpoint(folder: Path) -> list[bytes]:
    state = dict(backbones.build("i3d_nano", "rgb", classes=5).state_dict())
    contents = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
        contents.append(buffer.getvalue())
    return contents


def _tensors(folder: Path) -> list[bytes]:
    return [(ROOT / "models/i3d_nano/rgb.safetensors").read_bytes()]


_HEADERS = (
    *WORDS,
    b'"dtype":',
    b'"shape":',
    b'"data_offsets":',
    b"F32",
    b"F64",
    b"F4",
    b"BOOL",
    b"[0,0]",
    b"[-1]",
    b"[18446744073709551615]",
    b"__metadata__",
    b"PK\3\4",
    b"PK\1\2",
    b"PK\5\6",
    b"data.pkl",
    b"storages",
    b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n",
)

FEATURES: Mapping[str, Reader] = {
    "npz": Reader(
        "a.npz",
        _npz,
        _read_npz,
        (
            *WORDS,
            b"PK\3\4",
            b"PK\1\2",
            b"PK\5\6",
            b"\x93NUMPY",
            b"'descr': '|O'",
            b"'<f4'",
            b"'<U1'",
            b"(2, 2, 4)",
            b"\x0e\0",
            b"\x0c\0",
        ),
    ),
    "store": Reader("store/0000.h5", _hdf5, lambda f: store.load(f / "store"), _OBJECTS),
    "card": Reader(
        "model/card.json",
        _of_model("card.json"),
        _read_model,
        (
            *WORDS,
            *(f'"{key}":'.encode() for key in ("classes", "dim", "layers", "seeds", "features")),
            b"100000",
            b"1e9",
            b"[0, 0]",
            b'["../x"]',
            b"[" * 5000,
            b'{"a":' * 5000,
            b"NaN",
            b"-8",
        ),
        _model,
    ),
    "model": Reader(
        "model/seed-0.safetensors", _of_model("seed-0.safetensors"), _read_model, _HEADERS, _model
    ),
    "weights": Reader(
        "models/rgb.safetensors",
        _tensors,
        lambda f: backbones.load("i3d_nano", "rgb", f / "models"),
        _HEADERS,
    ),
    "checkpoint": Reader(
        "rgb.pt",
        _checkpoint,
        lambda f: weights.convert("i3d_nano", "rgb", (f / "rgb.pt").read_bytes(), "rgb.pt"),
        (*_HEADERS, *_OPCODES),
    ),
    "trajectory": Reader(
        "trajectory.safetensors",
        lambda f: [safetensors.torch.save({"seed-0": torch.zeros(3, 4, dtype=torch.int16)})],
        lambda f: trajectory.load(f / "trajectory.safetensors"),
        _HEADERS,
    ),
}


# params.yaml


def _params(folder: Path) -> list[bytes]:
    return [(ROOT / "params.yaml").read_bytes()]


_YAML = (
    *(
        b"&a ",
        b"*a",
        b"&a [*a, *a]",
        b"<<: *a",
        b"!!python/object/apply:os.system [touch executed]",
    ),
    *(
        b"!!int x",
        b"!!float x",
        b"!!timestamp x",
        b"!!binary x",
        b"!!set {a}",
        b"!!omap [a: b]",
        b"!!bool x",
    ),
    *(
        b"[" * 3000,
        b"{a: " * 3000,
        b"- " * 3000,
        b"2001-99-99",
        b"0b_",
        b"0x_",
        b"0o9",
        b"1:99:99",
        b"._",
    ),
    *(
        b"---\n",
        b"...\n",
        b"? [a]\n: b\n",
        b"%YAML 9.9\n",
        b"seeds: [1]\n",
        b"  size: 64\n",
        b"| \n",
        b"=",
        b"<<:",
    ),
)


# frames and flow


def _mkv(count: int, note: Mapping[str, Any], shape: tuple[int, ...]) -> bytes:
    frames = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    return lossless.encode(frames, fps=25, note=note)


def _shards(folder: Path) -> None:
    frames = _mkv(9, {"numbers": list(range(9)), "n_frames": 9, "fps": 25.0}, (32, 32, 3))
    flow = _mkv(8, {"pairs": list(range(8))}, (64, 32))
    plan = {"segments": 1, "windows": 1, "frames": 8, "sampling": "spread"}
    for name, content in (("frames", frames), ("flow", flow)):
        (folder / name).with_suffix(".mkv").write_bytes(content)
        entries = {"a.mp4": ("f" * 64, (folder / name).with_suffix(".mkv"))}
        provenance = {"clips": plan, "decode": {"size": 32, "resize": "squash"}}
        shards.publish(folder / name, entries, provenance=provenance)


def _read_shards(folder: Path) -> object:
    shards._opened.cache_clear()
    source = Published(folder / "frames", folder / "flow")
    listed = index.Video("a.mp4", "a.mp4", None, None, "train", "")
    return source.fingerprints(listed), source.read(Job(listed, "")), source.provenance()


def _entry(folder: Path) -> list[bytes]:
    _shards(folder)
    cut = Published(folder / "frames", folder / "flow").read(
        Job(index.Video("a.mp4", "a.mp4", None, None, "train", ""), "")
    )
    return [extraction.entry(cut, *np.zeros((2, 1, 4), np.float32))]


OWN: Mapping[str, Reader] = {
    "shards": Reader(
        "frames/0000.zip",
        lambda f: [(f / "frames/0000.zip").read_bytes()],
        _read_shards,
        (
            *_EBML,
            b"PK\3\4",
            b"PK\1\2",
            b"PK\5\6",
            b"shard.json",
            b"a.mp4",
            b'"entries"',
            b"\x08\0",
            *WORDS,
        ),
        _shards,
    ),
    "lossless": Reader(
        "a.mkv",
        lambda f: [(f / "frames.mkv").read_bytes(), (f / "flow.mkv").read_bytes()],
        lambda f: lossless.decode((f / "a.mkv").read_bytes()),
        (*_EBML, *_LEADS, b"numbers", b"[" * 3000),
        _shards,
    ),
    "staging": Reader(
        ".staging/entry",
        _entry,
        lambda f: extraction.read_entry("entry", (f / ".staging/entry").read_bytes()),
        _HEADERS,
    ),
    "params": Reader(
        "params.yaml", _params, lambda f: params.load(f / "params.yaml"), (*WORDS, *_YAML)
    ),
}

READERS: Mapping[str, Reader] = {
    **VIDEOS,
    **LISTS,
    **TABLES,
    **PICKLES,
    **FEATURES,
    **OWN,
}
