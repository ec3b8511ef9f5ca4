"""EPIC-Kitchens by small made-up MM-SADA lists, and the reader of old pandas pickles."""

import pickle
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import counts, epic_kitchens, inert_pickle, list_videos
from pipeline.datasets.counts import VERBS, Kitchen
from pipeline.datasets.old_pandas import read_columns
from pipeline.errors import UserError


class DataFrame:
    """Pickled as pandas' own is."""

    def __init__(self, manager: object) -> None:
        self._data, self._typ, self.attrs = manager, "dataframe", dict[str, str]()


class BlockManager:
    """Pickled as pandas' own is."""

    def __init__(self, *state: object) -> None:
        self.state = state

    def __getstate__(self) -> tuple[object, ...]:
        return self.state


class Index:
    """Pickled as pandas' own is."""

    def __init__(self, names: Sequence[object]) -> None:
        self.names = names

    def __reduce__(self) -> tuple[object, ...]:
        return new_index, (Index, {"data": np.array(self.names, dtype=object), "name": None})


def new_index(cls: type, contents: object) -> object:
    raise AssertionError("a pickle's function was called")


class Harm:
    """Pickled as a call of `function`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.parts


PANDAS = {
    "pandas": {},
    "pandas.core.frame": {"DataFrame": DataFrame},
    "pandas.core.internals.managers": {"BlockManager": BlockManager},
    "pandas.core.indexes.base": {"Index": Index, "_new_Index": new_index},
}
for module_name, contents in PANDAS.items():
    for global_name, content in contents.items():
        content.__module__, content.__qualname__ = module_name, global_name


def pandas_pickle(thing: object, protocol: int = 4) -> bytes:
    """Pickles with the classes above under their names in pandas, and numpy under its old name."""
    with pytest.MonkeyPatch.context() as patch:
        for name, globals_ in PANDAS.items():
            module = types.ModuleType(name)
            vars(module).update(globals_)
            patch.setitem(sys.modules, name, module)
        data = pickle.dumps(thing, protocol=protocol)
    return data.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def frame(
    columns: Mapping[str, Sequence[object]], fortran: bool = False, slices: bool = False
) -> DataFrame:
    """A table as pandas 1.0 kept it: columns of one type in one block."""
    kinds = {name: np.array(cells).dtype.kind for name, cells in columns.items()}
    types_ = {"i": np.int64, "f": np.float64, "b": np.bool_}
    blocks = []
    for kind in dict.fromkeys(kinds.values()):
        places = [i for i, name in enumerate(columns) if kinds[name] == kind]
        values = np.array([list(columns[name]) for name in columns if kinds[name] == kind], object)
        values = np.asarray(values, types_.get(kind, object), order="F" if fortran else "C")
        where = slice(places[0], places[-1] + 1, 1) if slices else np.array(places)
        blocks.append({"values": values, "mgr_locs": where})
    axes = [Index(list(columns)), None]
    return DataFrame(BlockManager(axes, [], [], {"0.14.1": {"axes": axes, "blocks": blocks}}))


@pytest.fixture(autouse=True)
def _without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "numpy.core.multiarray"):
        monkeypatch.setitem(sys.modules, name, None)


# the table


COLUMNS = {
    "uid": [7, -1, 2**40],
    "verb": ["take", "put é", None],
    "seconds": [0.5, -1.25, 1e300],
    "video_id": ["P08_01", "P08_01", "P08_02"],
    "verb_class": [0, 1, 7],
    "kept": [True, False, True],
}


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("fortran", [False, True])
def test_a_table_comes_back_as_it_was(tmp_path: Path, protocol: int, fortran: bool) -> None:
    path = tmp_path / "table.pkl"
    path.write_bytes(pandas_pickle(frame(COLUMNS, fortran), protocol))
    assert read_columns(path, list(COLUMNS)) == COLUMNS
    assert [type(value) for value in read_columns(path, ["uid"])["uid"]] == [int, int, int]


def test_the_places_of_a_block_may_be_a_slice(tmp_path: Path) -> None:
    columns = {"a": ["x"], "b": ["y"], "c": [1], "d": [2]}
    (tmp_path / "table.pkl").write_bytes(pandas_pickle(frame(columns, slices=True)))
    assert read_columns(tmp_path / "table.pkl", ["d", "a", "b", "c"]) == columns


def test_big_endian_numbers_are_read(tmp_path: Path) -> None:
    table = frame({"uid": [1, 2]})
    blocks = table._data.state[3]["0.14.1"]["blocks"]  # type: ignore[attr-defined]
    blocks[0]["values"] = blocks[0]["values"].astype(">i8")
    (tmp_path / "table.pkl").write_bytes(pandas_pickle(table))
    assert read_columns(tmp_path / "table.pkl", ["uid"]) == {"uid": [1, 2]}


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "table.pkl").write_bytes(pandas_pickle(frame({"uid": [1], "verb": ["take"]})))
    with pytest.raises(UserError, match="video_id is not among uid, verb"):
        read_columns(tmp_path / "table.pkl", ["uid", "video_id"])


@pytest.mark.parametrize(
    "thing",
    [
        {"uid": [1]},
        DataFrame({"uid": [1]}),
        DataFrame(BlockManager()),
        DataFrame(BlockManager(1, 2, 3, {"1.3": {}})),
        DataFrame(BlockManager(1, 2, 3, {"0.14.1": {"axes": [Index([1])], "blocks": []}})),
        frame({"seconds": np.array([1, 2], dtype=np.float64), "list": [[1], [2]]}),
    ],
    ids=["dictionary", "no manager", "no state", "another form", "numbered columns", "nested"],
)
def test_another_thing_than_a_table_is_refused(tmp_path: Path, thing: object) -> None:
    (tmp_path / "table.pkl").write_bytes(pandas_pickle(thing))
    with pytest.raises(UserError, match=r"table.pkl: expected a table pickled by pandas 0.14"):
        read_columns(tmp_path / "table.pkl", ["uid"])


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_damaged_pickle_is_refused(tmp_path: Path, kept: int) -> None:
    (tmp_path / "table.pkl").write_bytes(pandas_pickle(frame(COLUMNS))[:kept])
    with pytest.raises(UserError, match=r"table.pkl: expected a pickled table"):
        read_columns(tmp_path / "table.pkl", ["uid"])


def test_an_array_larger_than_its_data_is_refused(tmp_path: Path) -> None:
    data = pandas_pickle(frame({"uid": ["a", "b"]}))
    shape = pickle.dumps((1, 2), protocol=4)[2 + 9 : -1]  # two small numbers, TUPLE2, MEMOIZE
    assert data.count(shape) == 1
    huge = pickle.dumps((2**40, 2**40), protocol=4)[2 + 9 : -1]
    frameless = b"\x80\x04" + data[2 + 9 :].replace(shape, huge)
    (tmp_path / "table.pkl").write_bytes(frameless)
    with pytest.raises(UserError, match="2 cells for an array of shape"):
        read_columns(tmp_path / "table.pkl", ["uid"])


# harm


def touch(path: Path) -> str:
    return f"touch '{path}'"


def harmful(marker: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that would make `marker`, or break something else, and what the message names."""
    import os

    shell = touch(marker).encode()
    system = Harm(os.system, touch(marker))
    python = Harm(eval, f"open({str(marker)!r}, 'w')")
    opened = Harm(open, str(marker), "w")
    return {
        "os.system": (pickle.dumps(system), "system"),
        "eval": (pickle.dumps(python), "builtins.eval"),
        "open": (pickle.dumps(opened), "open"),
        "in an object array": (pandas_pickle(frame({"uid": [1], "verb": [system]})), "system"),
        "as a column's name": (pandas_pickle(frame({"uid": [1], python: ["x"]})), "builtins.eval"),  # type: ignore[dict-item]
        "as a table's state": (pandas_pickle(DataFrame(system)), "system"),
        "as an argument of a stand-in": (
            b"cpandas.core.frame\nDataFrame\n(cos\nsystem\n(S'" + shell + b"'\ntRtR.",
            "os.system",
        ),
        "INST": (b'(S"' + shell + b'"\nios\nsystem\n.', "os.system"),
        "OBJ": (b'(cos\nsystem\nS"' + shell + b'"\no.', "os.system"),
        "a dotted name": (
            b"\x80\x04\x8c\x05numpy\x8c\x16ndarray.__class__.mro__\x93.",
            r"numpy.ndarray.__class__",
        ),
        "a module of numpy": (b"cnumpy.lib.npyio\nload\n.", "numpy.lib.npyio.load"),
        "getattr": (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        "an extension": (b"\x80\x02\x82\x01.", "unregistered extension code 1"),
        "a persistent object": (b"Pabc\n.", "persistent"),
        "a call of a made object": (b"cnumpy\nndarray\n)R)R.", "not callable"),
        "the state of a class": (b"cnumpy\nndarray\n}S'arguments'\nI1\nsb.", "__setstate__"),
        "a far place in the memo": (b"\x80\x02Nr\xff\xff\xff\xff.", "memo"),
    }


@pytest.mark.parametrize("name", harmful(Path("marker")))
def test_a_harmful_pickle_does_nothing_and_says_what_it_wanted(tmp_path: Path, name: str) -> None:
    data, wanted = harmful(tmp_path / "marker")[name]
    (tmp_path / "D1_train.pkl").write_bytes(data)
    with pytest.raises(UserError, match=rf"D1_train.pkl: .*{wanted}"):
        read_columns(tmp_path / "D1_train.pkl", ["uid"])
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["os.system", "eval", "open", "INST", "OBJ"])
def test_the_harmful_pickles_would_do_harm_elsewhere(tmp_path: Path, name: str) -> None:
    pickle.loads(harmful(tmp_path / "marker")[name][0])
    assert (tmp_path / "marker").exists()


def test_stand_ins_remember_and_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"cbuiltins\nslice\n(I1\nI5\nNtR.")
    made = inert_pickle.load(tmp_path / "x.pkl")
    assert isinstance(made, inert_pickle.Slice)
    assert made.arguments == (1, 5, None)


# EPIC-Kitchens


def segments(participant: str, rows: Sequence[tuple[int, str, str, str, int]]) -> DataFrame:
    names = ("uid", "video_id", "start_timestamp", "stop_timestamp", "verb_class")
    columns: dict[str, list[object]] = {
        name: [row[i] for row in rows] for i, name in enumerate(names)
    }
    return frame(columns | {"participant_id": [participant] * len(rows), "verb": ["x"] * len(rows)})


TRAIN = [
    (30, "P08_01", "00:00:01.89", "00:00:05.00", 0),
    (4, "P08_01", "01:02:03.5", "01:02:04", 7),
    (5, "P08_02", "00:00:00.00", "00:00:01.00", 1),
]
TEST = [(6, "P08_09", "00:10:00.00", "00:10:00.75", 1)]


def write_kitchen(folder: Path, kitchen: str = "D1", participant: str = "P08") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in {"train": TRAIN, "test": TEST}.items():
        data = pandas_pickle(segments(participant, rows))
        (folder / f"{kitchen}_{split}.pkl").write_bytes(data)


def fill(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


@pytest.mark.parametrize("lists", [".", "splits", "MM-SADA"])
def test_segments_have_seconds_and_a_key_of_path_and_uid(tmp_path: Path, lists: str) -> None:
    write_kitchen(tmp_path / lists)
    fill(tmp_path, "videos/train/P08/P08_01.MP4", "videos/test/P08/x/p08_09.mp4")
    videos = list_videos("epic_kitchens", tmp_path, None, "D1")
    assert [
        (video.key, video.path, video.split, video.label, video.start, video.stop)
        for video in videos
    ] == [
        *(
            ("videos/test/P08/x/p08_09.mp4#6", "videos/test/P08/x/p08_09.mp4", "test")
            + ("put", 600.0, 600.75),
        ),
        ("videos/train/P08/P08_01.MP4#30", "videos/train/P08/P08_01.MP4", "train")
        + ("take", 1.89, 5.0),
        ("videos/train/P08/P08_01.MP4#4", "videos/train/P08/P08_01.MP4", "train")
        + ("pour", 3723.5, 3724.0),
    ]


def test_verbs_are_mapped_and_others_left_out(tmp_path: Path) -> None:
    write_kitchen(tmp_path)
    fill(tmp_path, "P08/P08_01.MP4", "P08/P08_09.MP4")
    videos = epic_kitchens.list_videos(tmp_path, {"put": "place", "pour": "pour"}, "D1")
    assert [video.label for video in videos] == ["pour", "place"]
    with pytest.raises(UserError, match="no classes fry in this data set, which has close, cut"):
        epic_kitchens.list_videos(tmp_path, {"fry": "fry"}, "D1")


def test_a_full_kitchen_must_have_the_known_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kitchen(tmp_path)
    fill(tmp_path, "P08/P08_01.MP4", "P08/P08_02.MP4", "P08/P08_09.MP4")
    with pytest.raises(UserError, match=r"take: expected 421 train and 124 test, found \(1, 0\)"):
        epic_kitchens.list_videos(tmp_path, None, "D1")
    numbers = {"train": Counter_of(TRAIN), "test": Counter_of(TEST)}
    monkeypatch.setattr(counts, "EPIC_TRAIN", {"D1": numbers["train"]})
    monkeypatch.setattr(counts, "EPIC_TEST", {"D1": numbers["test"]})
    assert len(epic_kitchens.list_videos(tmp_path, None, "D1")) == 4


def Counter_of(rows: Sequence[tuple[int, str, str, str, int]]) -> tuple[int, ...]:
    return tuple(sum(row[4] == verb for row in rows) for verb in range(len(VERBS)))


def test_a_partial_kitchen_says_how_much_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_kitchen(tmp_path)
    epic_kitchens.list_videos(fill(tmp_path, "P08/P08_01.MP4"), None, "D1")
    assert "2 of 4 segments lack a video" in caplog.text


@pytest.mark.parametrize(("kitchen", "participant"), [("D1", "P01"), ("D2", "P08")])
def test_exchanged_kitchens_are_noticed(tmp_path: Path, kitchen: Kitchen, participant: str) -> None:
    write_kitchen(tmp_path, kitchen, participant)
    with pytest.raises(UserError, match=rf"found {participant}.*exchanges the names D1 and D2"):
        epic_kitchens.list_videos(tmp_path, None, kitchen)


def test_epic_without_lists_or_videos_or_with_two_files_says_so(tmp_path: Path) -> None:
    fill(tmp_path, "P01/P01_01.MP4")
    with pytest.raises(UserError, match=r"expected MM-SADA's D1_train.pkl"):
        epic_kitchens.list_videos(tmp_path, None, "D1")
    write_kitchen(tmp_path)
    with pytest.raises(UserError, match=r"none of the 3 videos .* P08_01.MP4, P08_02.MP4"):
        epic_kitchens.list_videos(tmp_path, None, "D1")
    fill(tmp_path, "a/P08/P08_01.MP4", "b/P08/P08_01.mp4")
    with pytest.raises(UserError, match=r"found a/P08/P08_01.MP4, b/P08/P08_01.mp4; keep one"):
        epic_kitchens.list_videos(tmp_path, None, "D1")


@pytest.mark.parametrize(
    "row",
    [
        (1, "P08_01", "00:00:05.00", "00:00:05.00", 0),
        (1, "P08_01", "5.0", "6.0", 0),
        (1, "P08_01", "00:00:05.00", "00:00:06.00", 8),
    ],
)
def test_a_faulty_segment_is_shown(tmp_path: Path, row: tuple[int, str, str, str, int]) -> None:
    write_kitchen(tmp_path)
    (tmp_path / "D1_test.pkl").write_bytes(pandas_pickle(segments("P08", [*TEST, row])))
    with pytest.raises(UserError, match=r"D1_test.pkl: expected a segment.*'uid': 1"):
        epic_kitchens.list_videos(fill(tmp_path, "P08_01.MP4"), None, "D1")
