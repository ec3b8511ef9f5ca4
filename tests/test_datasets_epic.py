"""EPIC-Kitchens by small made-up MM-SADA lists."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pandas_pickles import DataFrame, frame, pandas_pickle

from pipeline.datasets import counts, epic_kitchens, list_videos
from pipeline.datasets.counts import VERBS, Kitchen
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError


def segments(participant: str, rows: Sequence[tuple[int, str, str, str, int]]) -> DataFrame:
    names = ("uid", "video_id", "start_timestamp", "stop_timestamp", "verb_class")
    columns: dict[object, Sequence[object]] = {
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
    first, second = "videos/test/P08/x/p08_09.mp4", "videos/train/P08/P08_01.MP4"
    assert videos == [
        Listed(f"{first}#6", first, "test", "put", 600.0, 600.75),
        Listed(f"{second}#30", second, "train", "take", 1.89, 5.0),
        Listed(f"{second}#4", second, "train", "pour", 3723.5, 3724.0),
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
    numbers = {"train": per_verb(TRAIN), "test": per_verb(TEST)}
    monkeypatch.setattr(counts, "EPIC_TRAIN", {"D1": numbers["train"]})
    monkeypatch.setattr(counts, "EPIC_TEST", {"D1": numbers["test"]})
    assert len(epic_kitchens.list_videos(tmp_path, None, "D1")) == 4


def per_verb(rows: Sequence[tuple[int, str, str, str, int]]) -> tuple[int, ...]:
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
