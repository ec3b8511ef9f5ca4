"""Somebody's .npz: arrays come out as they are, whatever else it holds is refused in a line."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import npz
from pipeline.errors import UserError


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def refusal(path: Path, *names: str) -> str:
    with pytest.raises(UserError) as caught:
        npz.read(path, names)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_named_arrays_come_out_and_others_stay_in(tmp_path: Path, save: object) -> None:
    assert callable(save)
    save(tmp_path / "a.npz", x=np.arange(3), y=np.array("text"), z=np.arange(4))
    held = npz.read(tmp_path / "a.npz", ("y", "x", "absent"))
    assert sorted(held) == ["x", "y"]
    assert held["x"].tolist() == [0, 1, 2]


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    path, mark = tmp_path / "a.npz", tmp_path / "executed"
    np.savez(path, key=np.array([Trap(mark)], dtype=object))
    assert "key cannot be read (Object arrays cannot be loaded" in refusal(path, "key")
    assert not mark.exists()


def test_an_object_array_that_nobody_asks_for_does_no_harm(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    np.savez(tmp_path / "a.npz", key=np.arange(1), more=np.array([Trap(mark)], dtype=object))
    assert list(npz.read(tmp_path / "a.npz", ("key",))) == ["key"]
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x80\x04."])
def test_what_is_no_zip_is_no_npz(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    assert "no .npz file, or a damaged one" in refusal(tmp_path / "a.npz", "key")


def test_an_npy_file_by_that_name_is_no_npz(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.arange(3))
    assert "no .npz file" in refusal(tmp_path / "a.npz", "key")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "no .npz file" in refusal(tmp_path / "a.npz", "key")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_flipped_or_lost_byte_is_told_or_changes_nothing(tmp_path: Path, save: object) -> None:
    assert callable(save)
    path = tmp_path / "a.npz"
    save(path, key=np.arange(20))
    whole = path.read_bytes()
    for place in range(len(whole)):
        for broken in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
            path.write_bytes(broken)
            try:
                held = npz.read(path, ("key",))
            except UserError:
                continue
            assert not held or held["key"].tolist() == list(range(20))


def test_an_array_that_claims_to_be_huge_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,), }\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("key.npy", start + header.encode())
    assert "key cannot be read" in refusal(path, "key")


def test_a_member_that_is_no_array_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("key", b"just text")
    assert "key cannot be read (no array)" in refusal(tmp_path / "a.npz", "key")


def test_texts_come_out_as_they_are() -> None:
    array = np.array(["a b/ü\n.mp4", "", "日本"])
    assert npz.texts(Path("a.npz"), "key", array, 3) == ["a b/ü\n.mp4", "", "日本"]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.arange(2), "expected strings of shape (n,), found int64 of shape (2,)"),
        (np.array([b"a", b"b"]), "expected strings of shape (n,), found |S1"),
        (np.array([["a", "b"]]), "expected strings of shape (n,), found <U1 of shape (1, 2)"),
        (np.array("ab"), "expected strings of shape (n,), found <U2 of shape ()"),
        (np.array(["a"]), "expected 2, one a key, found 1"),
        (np.array(["a\0b", "c"]), "'a\\x00b' holds a NUL or carriage return"),
        (np.array(["a", "c\r"]), "'c\\r' holds a NUL or carriage return"),
        (np.array(["a", "\udcff"]), "a string that is no text"),
        (np.array([0x110000, 65], np.uint32).view("<U1"), "a string that is no text"),
    ],
)
def test_faulty_texts_are_told(array: npz.Array, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        npz.texts(Path("a.npz"), "label", array, 2)
    assert str(caught.value).startswith(f"a.npz: label: {expected}")
