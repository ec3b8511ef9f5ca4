"""The reader of old pandas pickles: what it reads, and what it refuses to execute."""

import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from pandas_pickles import BlockManager, DataFrame, Index, frame, pandas_pickle

from pipeline.datasets import inert_pickle
from pipeline.datasets.old_pandas import read_columns
from pipeline.errors import UserError


class Harm:
    """Pickled as a call of `function`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.parts


@pytest.fixture(autouse=True)
def _without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "numpy.core.multiarray"):
        monkeypatch.setitem(sys.modules, name, None)


# the table


COLUMNS: Mapping[object, Sequence[object]] = {
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
    assert read_columns(path, [str(name) for name in COLUMNS]) == COLUMNS
    assert [type(value) for value in read_columns(path, ["uid"])["uid"]] == [int, int, int]


def test_the_places_of_a_block_may_be_a_slice(tmp_path: Path) -> None:
    columns: Mapping[object, Sequence[object]] = {"a": ["x"], "b": ["y"], "c": [1], "d": [2]}
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
        frame({"seconds": [1.5, 2.5], "cell": [{"a": 1}, {}]}),
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
    shell = touch(marker).encode()
    system = Harm(os.system, touch(marker))
    python = Harm(eval, f"__import__('os').mkdir({str(marker)!r})")
    made = Harm(os.mkdir, str(marker))
    return {
        "os.system": (pickle.dumps(system), "system"),
        "eval": (pickle.dumps(python), "builtins.eval"),
        "os.mkdir": (pickle.dumps(made), "mkdir"),
        "in an object array": (pandas_pickle(frame({"uid": [1], "verb": [system]})), "system"),
        "as a column's name": (pandas_pickle(frame({"uid": [1], python: ["x"]})), "builtins.eval"),
        "as a table's state": (pandas_pickle(DataFrame(system)), "system"),
        "as an argument of a stand-in": (
            b"cpandas.core.frame\nDataFrame\n(cos\nsystem\n(S'" + shell + b"'\ntRtR.",
            "os.system",
        ),
        "INST": (b'(S"' + shell + b'"\nios\nsystem\n.', "os.system"),
        "OBJ": (b'(cos\nsystem\nS"' + shell + b'"\no.', "os.system"),
        "a dotted name": (
            b"\x80\x04\x8c\x05numpy\x8c\x15ndarray.__class__.mro\x93.",
            r"numpy.ndarray.__class__",
        ),
        "a module of numpy": (b"cnumpy.lib.npyio\nload\n.", "numpy.lib.npyio.load"),
        "getattr": (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        "an extension": (b"\x80\x02\x82\x01.", "unregistered extension code 1"),
        "a persistent object": (b"Pabc\n.", "persistent"),
        "a call of a made object": (b"cnumpy\nndarray\n)R)R.", "not callable"),
        "the state of a class": (b"cnumpy\nndarray\n}S'arguments'\nI1\nsb.", "__setstate__"),
        "a far place in the memo": (b"\x80\x02Nr\xff\xff\xff\xff.", "found NoneType"),
        "a key of tuples": (b"\x80\x02})" + b"\x85" * 200_000 + b"Ns.", "a key of a dictionary"),
    }


@pytest.mark.parametrize("name", harmful(Path("marker")))
def test_a_harmful_pickle_does_nothing_and_says_what_it_wanted(tmp_path: Path, name: str) -> None:
    data, wanted = harmful(tmp_path / "marker")[name]
    (tmp_path / "D1_train.pkl").write_bytes(data)
    with pytest.raises(UserError, match=rf"D1_train.pkl: .*{wanted}"):
        read_columns(tmp_path / "D1_train.pkl", ["uid"])
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["os.system", "eval", "os.mkdir", "INST", "OBJ"])
def test_the_harmful_pickles_would_do_harm_elsewhere(tmp_path: Path, name: str) -> None:
    pickle.loads(harmful(tmp_path / "marker")[name][0])
    assert (tmp_path / "marker").exists()


def test_stand_ins_remember_and_do_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"cbuiltins\nslice\n(I1\nI5\nNtR.")
    made = inert_pickle.load(tmp_path / "x.pkl")
    assert isinstance(made, inert_pickle.Slice)
    assert made.arguments == (1, 5, None)
