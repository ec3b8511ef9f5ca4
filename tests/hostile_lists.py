"""Readers of lists that name videos, and of the tables that the index stage makes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hostile_words import WORDS, Reader
from pandas_pickles import frame, pandas_pickle

from pipeline import index, params
from pipeline.datasets import csv_listing, epic_kitchens, hmdb51, olympic_sports, ucf101
from pipeline.datasets.listing import Listed

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
_PROGRAMS = (
    r"cos\nsystem\n (S'touch\x20executed'\ntR \x8c\x02os\x8c\x06system\x93 \x85 \x86 \x94 h\0 "
    r"j\0\0\0\0 0 1 2 ( t l d } ] ) s u a e b R \x81 \x92 N \x88 K\1 "
    r"L99999L\n \x8f \x90 \x91 r\xff\xff\xff\x7f "
    r"p99999999999\n P1\n Q \x82\1 \x8e\xff\xff\xff\xff\xff\xff\xff\x7f \x8b\xff\xff\xff\x7f "
    r"cbuiltins\neval\n ."
)
OPCODES = [
    word.encode().decode("unicode_escape").encode("latin-1") for word in _PROGRAMS.split(" ")
] + [b")" + b"2\x86" * 60]


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
        OPCODES,
        _epic,
    ),
}


# params.yaml


def _params(folder: Path) -> list[bytes]:
    return [(Path(params.__file__).parent.parent / "params.yaml").read_bytes()]


_YAML = [
    *b"&a *a <<: ? = | --- ... {} [] 2001-99-99 0b_ 0x_ 0o9 1:99:99 ._ !!set !!omap !!str".split(),
    *(
        b"&a [*a, *a]",
        b"<<: *a",
        b"!!python/object/apply:os.system [touch executed]",
        b"\n  size: 64\n",
    ),
    *(b"!!int x", b"!!float x", b"!!timestamp x", b"!!binary x", b"!!bool x", b"\nseeds: [1]\n"),
    *(b"[" * 3000, b"{a: " * 3000, b"- " * 3000, b"%YAML 9.9\n", b"? [a]\n: b\n", b"| \n"),
]


PARAMS: Mapping[str, Reader] = {
    "params": Reader(
        "params.yaml", _params, lambda f: params.load(f / "params.yaml"), [*WORDS, *_YAML]
    ),
}
