"""Files of features in place of videos: keys, labels and splits, and all that may be wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npz_files import save

from pipeline.datasets import list_videos
from pipeline.datasets.class_maps import class_map
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError


def listed(root: Path, classes: dict[str, str] | None = None) -> list[Listed]:
    return list_videos("imported", root, classes)


def test_keys_labels_and_splits_are_those_of_the_files(tmp_path: Path) -> None:
    save(tmp_path / "2.npz", "a/1.mp4", label=["walk"], split=["test"])
    save(tmp_path / "1.npz", "b/2.mp4", "b/1", label=["run", "jump"], split=["train", "test"])
    assert listed(tmp_path) == [
        Listed("a/1.mp4", "2.npz", "test", "walk"),
        Listed("b/1", "1.npz", "test", "jump"),
        Listed("b/2.mp4", "1.npz", "train", "run"),
    ]


def test_without_them_the_split_is_hashed_and_no_label_known(tmp_path: Path) -> None:
    keys = [f"{number}.mp4" for number in range(20)]
    save(tmp_path / "a.npz", *keys)
    videos = listed(tmp_path)
    assert {video.key: video.split for video in videos} == {key: hashed_split(key) for key in keys}
    assert {video.label for video in videos} == {None}


def test_an_empty_label_is_none(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", "x", "y", "z", label=["walk", "", " "])
    assert [video.label for video in listed(tmp_path)] == ["walk", None, None]


def test_one_file_may_have_labels_and_another_none(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", "x", label=["walk"])
    save(tmp_path / "b.npz", "y")
    assert [video.label for video in listed(tmp_path)] == ["walk", None]


def test_classes_pick_and_rename(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", "w", "x", "y", "z", label=["jog", "sprint", "sit", ""])
    videos = listed(tmp_path, {"jog": "run", "sprint": "run"})
    assert {video.key: video.label for video in videos} == {"w": "run", "x": "run", "z": None}


def test_a_class_map_gives_its_task_names() -> None:
    assert class_map("ucf_olympic", "imported") == class_map("ucf_olympic", "folder")


def test_other_files_hidden_ones_and_folders_are_ignored(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", "x")
    save(tmp_path / "more/b.npz", "y")
    (tmp_path / "._a.npz").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("made with TSN")
    assert [video.key for video in listed(tmp_path)] == ["x"]


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"label": ["walk"]}, "label: expected 2, one a key, found 1"),
    ({"label": [1, 2]}, "label: expected strings of shape (n,), found int64"),
    ({"label": np.array(["a", None])}, "label cannot be read (Object arrays cannot be loaded"),
    ({"split": ["train"]}, "split: expected 2, one a key, found 1"),
    ({"split": ["train", "val"]}, "split: expected train or test, found 1 others; mend them"),
    ({"split": ["", "Test"]}, "split: expected train or test, found 2 others; mend them"),
    ({"flow": None}, "expected the arrays key, rgb and flow, flow missing"),
    ({"key": ["x", "x"]}, "key 'x' stands in a.npz already"),
]


@pytest.mark.parametrize(("changed", "expected"), FAULTS)
def test_a_fault_names_file_and_array(
    tmp_path: Path, changed: dict[str, Any], expected: str
) -> None:
    path = save(tmp_path / "a.npz", "x", "y", **changed)
    with pytest.raises(UserError) as caught:
        listed(tmp_path)
    assert str(caught.value).startswith(f"{path}: {expected}")


def test_a_folder_without_such_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"found neither a videos\.csv nor an \.npz file"):
        listed(tmp_path)


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.npz").symlink_to(tmp_path / "gone.npz")
    with pytest.raises(UserError, match="a link that leads nowhere"):
        listed(tmp_path)
