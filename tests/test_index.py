"""The index of a domain, and the CSV tables that it and all results are written in."""

import unicodedata
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import index, tables
from pipeline.errors import UserError
from pipeline.fingerprint import file_hash, fingerprint, share
from pipeline.index import Video

KEYS = [
    "walk/a b.avi",
    "a,b;c.mp4",
    'it\'s "quoted".mp4',
    "new\nline.mp4",
    " leading and trailing ",
    unicodedata.normalize("NFC", "ü.mp4"),
    unicodedata.normalize("NFD", "ü.mp4"),
    "日本/😀.mkv",
    "=1+1.mp4",
    "-1",
    "#x",
    "P01.MP4#17",
    "tab\there",
]


def videos() -> list[Video]:
    return [
        Video(key, key, number / 3 if number % 2 else None, None, split, f"{number:064x}")
        for number, key in enumerate(KEYS)
        for split in (get_args(index.Split)[number % 2],)
    ]


def test_videos_come_back_as_they_were(tmp_path: Path) -> None:
    index.write_videos(tmp_path / "videos.csv", videos())
    assert index.read_videos(tmp_path / "videos.csv") == videos()


def test_labels_come_back_under_their_keys_and_in_order_of_keys(tmp_path: Path) -> None:
    labels = {key: f'class {number}, "{key[::-1]}"' for number, key in enumerate(KEYS)}
    index.write_labels(tmp_path / "labels.csv", labels)
    read = index.read_labels(tmp_path / "labels.csv")
    assert read == labels
    assert list(read) == sorted(KEYS)


def test_a_domain_without_labels_has_empty_tables(tmp_path: Path) -> None:
    index.write_labels(tmp_path / "labels.csv", {})
    index.write_classes(tmp_path / "classes.csv", [])
    assert index.read_labels(tmp_path / "labels.csv") == {}
    assert index.read_classes(tmp_path / "classes.csv") == []
    assert (tmp_path / "labels.csv").read_text() == "key,label\n"


def test_classes_are_sorted_and_each_is_named_once(tmp_path: Path) -> None:
    index.write_classes(tmp_path / "classes.csv", ["run", "jump, high", "run", "Ärger"])
    assert index.read_classes(tmp_path / "classes.csv") == ["jump, high", "run", "Ärger"]


def test_the_table_of_videos_has_no_column_for_labels(tmp_path: Path) -> None:
    index.write_videos(tmp_path / "videos.csv", videos())
    header = (tmp_path / "videos.csv").read_text().splitlines()[0]
    assert header == "key,path,start,stop,split,sha256"
    assert header.split(",") == [field.name for field in fields(Video)]


def test_a_name_that_csv_cannot_hold_is_refused(tmp_path: Path) -> None:
    video = Video("a\rb.mp4", "a\rb.mp4", None, None, "train", "0")
    with pytest.raises(UserError, match="holds a carriage return; rename what is called so"):
        index.write_videos(tmp_path / "videos.csv", [video])


@given(key=st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1))
def test_every_other_key_survives(key: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "videos.csv"
    listed = [Video(key, "x", 0.1, 1e-9, "test", "0")]
    index.write_videos(path, listed)
    assert index.read_videos(path) == listed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no column key, path, start, stop, split, sha256"),
        ("video,label\na,b\n", "no column key"),
        ("key,path,start,stop,split,sha256\na,a,,,val,0\n", "a faulty row .'val'."),
        ("key,path,start,stop,split,sha256\na,a,soon,,train,0\n", "a faulty row .*'soon'"),
        ("key,path,start,stop,split,sha256\na,a\n", "no CSV in UTF-8 .a row of another length"),
        (
            "key,path,start,stop,split,sha256\na,../a,,,train,0\n",
            "a faulty row .*'../a' is no path",
        ),
        ("key,path,start,stop,split,sha256\na,/a,,,train,0\n", "a faulty row .*'/a' is no path"),
        ("key,path,start,stop,split,sha256\na,a,nan,,train,0\n", "a faulty row .*'nan' are no"),
    ],
)
def test_another_table_is_no_index(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text(text)
    with pytest.raises(UserError, match=rf"videos\.csv: {expected}.*run `dvc repro`"):
        index.read_videos(tmp_path / "videos.csv")


def test_a_missing_table_says_what_makes_it(tmp_path: Path) -> None:
    for read in (index.read_videos, index.read_labels, index.read_classes):
        with pytest.raises(UserError, match=r"x\.csv: no such file; `dvc repro` makes it"):
            read(tmp_path / "x.csv")


def test_a_table_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("key,label\na,größe\n".encode("latin-1"))
    with pytest.raises(UserError, match="no CSV in UTF-8"):
        index.read_labels(tmp_path / "labels.csv")


# tables


def test_a_table_has_all_columns_that_occur_and_empty_cells_for_what_is_missing(
    tmp_path: Path,
) -> None:
    tables.write(tmp_path / "a.csv", [{"x": 1, "y": 0.5}, {"x": 2, "z": "c,d"}, {"y": None}])
    assert (tmp_path / "a.csv").read_bytes() == b'x,y,z\n1,0.5,\n2,,"c,d"\n,,\n'


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [{"x": 0.1 + 0.2, "y": 1e-20}, {"x": 1e20, "y": -0.0}]
    for name in ("a.csv", "b.csv"):
        tables.write(tmp_path / name, rows)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert [float(row["x"]) for row in tables.read(tmp_path / "a.csv")] == [0.1 + 0.2, 1e20]


def test_fractions_are_rounded_and_nothing_else() -> None:
    row: dict[str, tables.Cell] = {"a": 1 / 3, "b": 123456789, "c": "0.3333333333", "d": None}
    assert tables.rounded(row) == {**row, "a": 0.333333}


def test_seeds_are_averaged_epoch_by_epoch() -> None:
    rows: list[tables.Row] = [
        {"seed": 0, "epoch": 0, "loss": 1.0, "right": 2},
        {"seed": 0, "epoch": 1, "loss": 3.0, "right": 4},
        {"seed": 7, "epoch": 0, "loss": 2.0, "right": 3},
        {"seed": 7, "epoch": 1, "loss": 5.0, "right": 0},
    ]
    assert tables.mean_over_seeds(rows) == [
        {"epoch": 0, "loss": 1.5, "right": 2.5},
        {"epoch": 1, "loss": 4.0, "right": 2.0},
    ]
    assert tables.mean_over_seeds([]) == []


# what a result was made from


def test_fingerprints_depend_on_every_value_and_not_on_the_order() -> None:
    made = {"sha256": "ab", "clips": {"segments": 5, "windows": 1}, "section": [None, 2.5]}
    first = fingerprint(**made)
    assert len(first) == 64
    assert first == fingerprint(**dict(reversed(made.items())))
    for changed in (
        {"sha256": "ac"},
        {"clips": {"segments": 5, "windows": 2}},
        {"section": [0, 2.5]},
        {"section": [None, 2.50001]},
        {"more": None},
    ):
        assert fingerprint(**{**made, **changed}) != first


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert file_hash(tmp_path / "a") == expected


@given(key=st.text(st.characters(codec="utf-8")))
def test_a_keys_share_lies_in_the_unit_interval_and_stays(key: str) -> None:
    assert 0 <= share(key) < 1
    assert share(key) == share(key)
