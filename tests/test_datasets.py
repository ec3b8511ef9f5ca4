"""A user's own folder, CSV lists, the demo, and the choice of data set."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.datasets import Name, demo, folder, list_videos
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError


def fill(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)


def rows(videos: Iterable[Listed]) -> list[tuple[str, str, str | None]]:
    return [(video.path, video.split, video.label) for video in videos]


def labels(videos: Iterable[Listed]) -> dict[str, str | None]:
    return {video.key: video.label for video in videos}


# a folder per class


def test_a_folder_per_class_gives_labels_at_any_depth(tmp_path: Path) -> None:
    fill(tmp_path, "jump/a.mp4", "jump/day 2/b.AVI", "run/c.mkv", "run/notes.txt")
    assert labels(folder.list_videos(tmp_path, None)) == {
        "jump/a.mp4": "jump",
        "jump/day 2/b.AVI": "jump",
        "run/c.mkv": "run",
    }


def test_the_list_is_sorted_by_code_points(tmp_path: Path) -> None:
    fill(tmp_path, "b/1.mp4", "a b/1.mp4", "a/1.mp4", "Z/1.mp4", "ä/1.mp4", "a/10.mp4", "a/9.mp4")
    keys = [video.key for video in folder.list_videos(tmp_path, None)]
    assert keys == sorted(keys)
    assert keys[0] == "Z/1.mp4"


def test_train_and_test_folders_give_the_split(tmp_path: Path) -> None:
    fill(tmp_path, "train/jump/a.mp4", "Test/jump/b.mp4", "train/run/deep/c.mp4")
    assert rows(folder.list_videos(tmp_path, None)) == [
        ("Test/jump/b.mp4", "test", "jump"),
        ("train/jump/a.mp4", "train", "jump"),
        ("train/run/deep/c.mp4", "train", "run"),
    ]


def test_train_and_test_folders_without_classes_are_unlabelled(tmp_path: Path) -> None:
    fill(tmp_path, "train/a.mp4", "test/b.mp4")
    assert rows(folder.list_videos(tmp_path, None)) == [
        ("test/b.mp4", "test", None),
        ("train/a.mp4", "train", None),
    ]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    fill(tmp_path, "train/a.mp4", "bus/b.mp4")
    assert labels(folder.list_videos(tmp_path, None)) == {
        "bus/b.mp4": "bus",
        "train/a.mp4": "train",
    }


def test_split_folders_beside_other_folders_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, "train/jump/a.mp4", "val/jump/b.mp4")
    with pytest.raises(UserError, match=r"found\s+beside them val"):
        folder.list_videos(tmp_path, None)


def test_videos_alone_are_unlabelled_and_kept_whatever_the_classes(tmp_path: Path) -> None:
    fill(tmp_path, "b.mp4", "a.webm")
    for classes in (None, {"jump": "jump"}):
        videos = folder.list_videos(tmp_path, classes)
        assert labels(videos) == {"a.webm": None, "b.mp4": None}


@pytest.mark.parametrize("paths", [("a.mp4", "jump/b.mp4"), ("train/a.mp4", "train/jump/b.mp4")])
def test_videos_with_and_without_a_class_are_refused_by_name(
    tmp_path: Path, paths: tuple[str, ...]
) -> None:
    with pytest.raises(UserError, match=paths[0]):
        folder.list_videos(fill(tmp_path, *paths), None)


def test_several_own_classes_may_become_one_and_others_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "jog/a.mp4", "sprint/b.mp4", "sit/c.mp4")
    videos = folder.list_videos(tmp_path, {"jog": "run", "sprint": "run"})
    assert labels(videos) == {"jog/a.mp4": "run", "sprint/b.mp4": "run"}


def test_no_video_of_the_wanted_classes_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"classes jump, found run, sit"):
        folder.list_videos(fill(tmp_path, "run/a.mp4", "sit/b.mp4"), {"jump": "jump"})


def test_hidden_files_and_folders_are_ignored(tmp_path: Path) -> None:
    fill(tmp_path, "jump/a.mp4", "jump/._a.mp4", ".cache/b.mp4", "jump/.tmp/c.mp4")
    assert labels(folder.list_videos(tmp_path, None)) == {"jump/a.mp4": "jump"}


@pytest.mark.parametrize(
    "name",
    ["a&b!.mp4", "[a](b);c.mp4", "a, 'b' \"c\".mp4", " a b .mp4", "#1 %20.mp4", "日本\nü.mp4"],
)
def test_odd_names_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    fill(tmp_path, f"jump {name}/{name}")
    (video,) = folder.list_videos(tmp_path, None)
    assert (video.key, video.label) == (f"jump {name}/{name}", f"jump {name}")
    assert (tmp_path / video.path).is_file()


def test_one_class_spelled_in_two_unicode_forms_is_one_class(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    fill(tmp_path, f"{composed}/a.mp4", f"{decomposed}/b.mp4")
    videos = folder.list_videos(tmp_path, {decomposed: "coffee"})
    assert labels(videos) == {f"{composed}/a.mp4": "coffee", f"{decomposed}/b.mp4": "coffee"}
    assert {video.label for video in folder.list_videos(tmp_path, None)} == {composed}


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jump").mkdir()
    path = os.fsencode(tmp_path / "jump") + b"/caf\xe9.mp4"
    with open(path, "wb"):  # noqa: PTH123 - a name that only bytes can hold
        pass
    with pytest.raises(UserError, match=r"UTF-8, found b'caf\\xe9.mp4'"):
        folder.list_videos(tmp_path, None)


# links


def test_links_are_followed_and_the_root_may_be_one(tmp_path: Path) -> None:
    store = fill(tmp_path / "store", "x/a.mp4", "b.mp4")
    real = fill(tmp_path / "real", "run/c.mp4")
    (real / "jump").symlink_to(store / "x")
    (real / "run" / "d.mp4").symlink_to(store / "b.mp4")
    (tmp_path / "root").symlink_to(real)
    assert labels(list_videos("folder", tmp_path / "root", None)) == {
        "jump/a.mp4": "jump",
        "run/c.mp4": "run",
        "run/d.mp4": "run",
    }


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path, "jump/a.mp4")
    (tmp_path / "jump" / "up").symlink_to(tmp_path)
    (tmp_path / "jump" / "self").symlink_to(tmp_path / "jump" / "self")
    assert labels(folder.list_videos(tmp_path, None)) == {"jump/a.mp4": "jump"}


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "jump/a.mp4")
    (tmp_path / "jump" / "b.mp4").symlink_to(tmp_path / "gone.mp4")
    with pytest.raises(UserError, match=r"jump/b.mp4: a link that leads nowhere"):
        folder.list_videos(tmp_path, None)


# the hashed split


def test_the_split_depends_on_the_key_alone(tmp_path: Path) -> None:
    fill(tmp_path, *(f"jump/{i}.mp4" for i in range(20)))
    before = {video.key: video.split for video in folder.list_videos(tmp_path, None)}
    fill(tmp_path, *(f"jump/new {i}.mp4" for i in range(20)), "run/a.mp4")
    after = {video.key: video.split for video in folder.list_videos(tmp_path, None)}
    assert before.items() <= after.items()


def test_about_seven_in_ten_are_train() -> None:
    train = sum(hashed_split(f"jump/{i}.mp4") == "train" for i in range(5000))
    assert 0.67 < train / 5000 < 0.73


def test_the_split_is_the_fraction_of_the_key_s_sha256() -> None:
    for key in ("a", "jump/1.mp4", "ä/ö.mp4"):
        fraction = int(hashlib.sha256(key.encode()).hexdigest(), 16) / 2**256
        assert hashed_split(key) == ("train" if fraction < 0.7 else "test")


# CSV


def test_a_csv_gives_labels_and_split(tmp_path: Path) -> None:
    fill(tmp_path, "x/a.mp4", "x/b.mp4", "x/unlisted.mp4")
    write(
        tmp_path / "list.csv", "note,video,label,split\n,x/b.mp4,run,test\n?,x/a.mp4,jump,train\n"
    )
    assert rows(folder.list_videos(tmp_path, None)) == [
        ("x/a.mp4", "train", "jump"),
        ("x/b.mp4", "test", "run"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_csv_from_any_editor_is_read(tmp_path: Path, encoding: str, newline: str) -> None:
    fill(tmp_path, "ä, b.mp4")
    text = newline.join(["Video, label", '"ä, b.mp4",jump', "", ""])
    (tmp_path / "videos.csv").write_bytes(text.encode(encoding))
    assert labels(folder.list_videos(tmp_path, None)) == {"ä, b.mp4": "jump"}


def test_a_csv_of_videos_alone_is_unlabelled_with_a_hashed_split(tmp_path: Path) -> None:
    write(fill(tmp_path, "a.mp4") / "videos.csv", "video\na.mp4\n")
    assert rows(folder.list_videos(tmp_path, None)) == [("a.mp4", hashed_split("a.mp4"), None)]


def test_a_csv_s_classes_are_mapped(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp4", "b.mp4")
    write(tmp_path / "videos.csv", "video,label\na.mp4,jog\nb.mp4,sit\n")
    assert labels(folder.list_videos(tmp_path, {"jog": "run"})) == {"a.mp4": "run"}


def test_a_csv_in_another_unicode_form_finds_the_file_as_on_disk(tmp_path: Path) -> None:
    on_disk, in_csv = (unicodedata.normalize(form, "é.mp4") for form in ("NFD", "NFC"))
    write(fill(tmp_path, on_disk) / "videos.csv", f"video\n{in_csv}\n")
    (video,) = folder.list_videos(tmp_path, None)
    assert (tmp_path / video.path).is_file()


def test_every_faulty_row_is_named_with_its_line(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp4", "b.mp4", "c.mp4", "d.mp4")
    write(
        tmp_path / "videos.csv",
        "video,label,split\na.mp4,jump,train\n./a.mp4,jump,test\n\nb.mp4,,train\n"
        "c.mp4,run,validation\ngone.mp4,run,test\n../up.mp4,run,test\nd,1.mp4,run,test\n",
    )
    with pytest.raises(UserError) as caught:
        folder.list_videos(tmp_path, None)
    message = str(caught.value)
    assert "6 of 7 rows" in message
    for fault in (
        "line 3: 'a.mp4' was listed before",
        "line 5: empty label",
        "line 6: split 'validation' is neither",
        "line 7: no file 'gone.mp4'",
        "line 8: video '../up.mp4' is not a path below",
        "line 9: 4 fields, the first line has 3",
    ):
        assert fault in message


def test_of_many_faulty_rows_ten_are_shown(tmp_path: Path) -> None:
    tmp_path.joinpath("videos.csv").write_text("video\n" + "".join(f"{i}.mp4\n" for i in range(25)))
    with pytest.raises(UserError) as caught:
        folder.list_videos(tmp_path, None)
    message = str(caught.value)
    assert message.count("no file") == 10
    assert "and 15 more" in message


def test_of_several_csvs_videos_csv_wins(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp4", "b.mp4")
    write(tmp_path / "all.csv", "video\na.mp4\nb.mp4\n")
    write(tmp_path / "videos.csv", "video\nb.mp4\n")
    assert labels(folder.list_videos(tmp_path, None)) == {"b.mp4": None}


def test_several_csvs_without_videos_csv_are_refused_by_name(tmp_path: Path) -> None:
    fill(tmp_path, "a.mp4")
    for name in ("one.csv", "two.CSV"):
        write(tmp_path / name, "video\na.mp4\n")
    with pytest.raises(UserError, match=r"found one.csv, two.CSV"):
        folder.list_videos(tmp_path, None)


def test_a_csv_without_a_video_column_is_none_of_ours(tmp_path: Path) -> None:
    write(fill(tmp_path, "jump/a.mp4") / "prices.csv", "item,price\na,1\n")
    assert labels(folder.list_videos(tmp_path, None)) == {"jump/a.mp4": "jump"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("videos.csv", b"path,label\na.mp4,jump\n", "expected a first line with the column video"),
        ("videos.csv", b"", "expected a first line with the column video"),
        ("videos.csv", b"video\n", "no videos at all"),
        ("list.csv", b"video;label\na.mp4;jump\n", "separated by commas"),
        ("list.csv", b"video\n\xe4.mp4\n", "expected a CSV in UTF-8"),
        ("list.csv", b'video\n"a.mp4" x\n', "line 2: not a CSV"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (fill(tmp_path, "a.mp4") / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        folder.list_videos(tmp_path, None)
    assert str(tmp_path) in str(caught.value)


# demo


def test_the_demo_is_what_its_csv_says(tmp_path: Path) -> None:
    write(fill(tmp_path, "wave/a.mp4") / "videos.csv", "video,label,split\nwave/a.mp4,wave,test\n")
    assert rows(demo.list_videos(tmp_path, None)) == [("wave/a.mp4", "test", "wave")]


def test_a_demo_without_its_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"videos.csv: expected"):
        demo.list_videos(fill(tmp_path, "wave/a.mp4"), None)


# the choice of data set


@pytest.mark.parametrize("dataset", ["ucf101", "hmdb51", "olympic_sports", "folder", "demo"])
def test_a_root_that_is_missing_empty_or_a_file_is_named(tmp_path: Path, dataset: Name) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty" / ".gitkeep", "")
    write(tmp_path / "file", "")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name, found in {
        "missing": "it is missing",
        "empty": "it is empty",
        "file": "found a file",
        "link": f"a link to {tmp_path / 'gone'}",
    }.items():
        with pytest.raises(UserError, match=rf"{tmp_path / name}: expected a folder.*{found}"):
            list_videos(dataset, tmp_path / name, None)


def test_a_kitchen_goes_with_epic_kitchens_alone(tmp_path: Path) -> None:
    fill(tmp_path, "jump/a.mp4")
    with pytest.raises(UserError, match="folder has no kitchens, found D1"):
        list_videos("folder", tmp_path, None, "D1")
    with pytest.raises(UserError, match="expected a kitchen"):
        list_videos("epic_kitchens", tmp_path, None)


def test_equal_keys_are_refused(tmp_path: Path) -> None:
    from pipeline.datasets.selection import select

    video = Listed("a.mp4", "a.mp4", "train", "jump")
    with pytest.raises(UserError, match=r"(?s)every key once.*a.mp4"):
        select([video, video], None, tmp_path)
