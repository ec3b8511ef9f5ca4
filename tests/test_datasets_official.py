"""UCF101, HMDB51 and Olympic Sports by small made-up official lists, and the class maps."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.datasets import Name, counts, hmdb51, olympic_sports, ucf101
from pipeline.datasets.class_maps import MAPS, UCF_HMDB_FULL, MapName, class_map
from pipeline.datasets.counts import Kitchen
from pipeline.datasets.listing import Listed
from pipeline.datasets.official import match
from pipeline.errors import UserError


def fill(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def write(path: Path, lines: Iterable[str], newline: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + newline for line in lines).encode())


def rows(videos: Iterable[Listed]) -> list[tuple[str, str, str | None]]:
    return [(video.path, video.split, video.label) for video in videos]


def labels(videos: Iterable[Listed]) -> set[str | None]:
    return {video.label for video in videos}


# UCF101


def write_ucf101(folder: Path, train: Iterable[str], test: Iterable[str]) -> None:
    write(folder / "trainlist01.txt", [f"{clip} 1" for clip in train], "\r\n")
    write(folder / "testlist01.txt", test, "\r\n")


def ucf101_clips(own_class: str, train: int, test: int) -> tuple[list[str], list[str]]:
    clips = [f"{own_class}/v_{own_class}_g{i:03}_c01.avi" for i in range(train + test)]
    return clips[:train], clips[train:]


@pytest.mark.parametrize("lists", ["ucfTrainTestlist", "splits", "anywhere", "."])
@pytest.mark.parametrize("videos", ["UCF-101", "videos", "elsewhere", "."])
def test_ucf101_is_found_where_it_may_lie(tmp_path: Path, lists: str, videos: str) -> None:
    train, test = ucf101_clips("Juggle", 2, 1)
    write_ucf101(tmp_path / lists, train, test)
    fill(tmp_path / videos, *train, *test)
    below = "" if videos == "." else f"{videos}/"
    assert rows(ucf101.list_videos(tmp_path, None)) == [
        (below + train[0], "train", "Juggle"),
        (below + train[1], "train", "Juggle"),
        (below + test[0], "test", "Juggle"),
    ]


def test_the_key_of_an_official_video_is_its_path(tmp_path: Path) -> None:
    train, test = ucf101_clips("Juggle", 1, 1)
    write_ucf101(tmp_path, train, test)
    fill(tmp_path / "UCF-101", *train, *test)
    assert all(video.key == video.path for video in ucf101.list_videos(tmp_path, None))


def test_a_folder_of_the_class_without_videos_is_passed_over(tmp_path: Path) -> None:
    train, test = ucf101_clips("Juggle", 1, 1)
    write_ucf101(tmp_path, train, test)
    fill(tmp_path, "frames/Juggle/1.jpg", f"movies/{train[0]}")
    assert [video.path for video in ucf101.list_videos(tmp_path, None)] == [f"movies/{train[0]}"]


def test_a_partial_copy_of_ucf101_lists_what_is_there_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train, test = ucf101_clips("Archery", 3, 2)
    write_ucf101(tmp_path, train, test)
    fill(tmp_path / "UCF-101", train[1], test[0], "Archery/v_Archery_g99_c01.avi")
    videos = ucf101.list_videos(tmp_path, None)
    assert [video.split for video in videos] == ["train", "test"]
    assert "3 of 5 listed clips are not there" in caplog.text


def test_ucf101_classes_count_to_the_letter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train, test = (
        [clip for clips in pair for clip in clips]
        for pair in zip(
            ucf101_clips("Basketball", 2, 2), ucf101_clips("BasketballDunk", 2, 2), strict=True
        )
    )
    write_ucf101(tmp_path, train, test)
    fill(tmp_path / "UCF-101", *train[:-1], *test[1:])
    videos = ucf101.list_videos(tmp_path, {"Basketball": "shoot_ball"})
    assert len(videos) == 3
    assert "1 of 4 listed clips are not there" in caplog.text
    assert all("/Basketball/" in video.path for video in videos)
    with pytest.raises(UserError, match="no classes basketball in this data set"):
        ucf101.list_videos(tmp_path, {"basketball": "shoot_ball"})


def test_several_ucf101_classes_become_one(tmp_path: Path) -> None:
    pairs = [ucf101_clips(name, 2, 1) for name in ("RopeClimbing", "RockClimbingIndoor")]
    train, test = ([clip for pair in pairs for clip in pair[side]] for side in (0, 1))
    write_ucf101(tmp_path, train, test)
    fill(tmp_path / "UCF-101", *train, test[0])
    own = {"RopeClimbing": "climb", "RockClimbingIndoor": "climb"}
    assert Counter(video.label for video in ucf101.list_videos(tmp_path, own)) == {"climb": 5}


def test_a_full_ucf101_class_must_have_the_known_numbers(tmp_path: Path) -> None:
    train, test = ucf101_clips("Fencing", 77, 34)
    write_ucf101(tmp_path, train, test)
    fill(tmp_path / "UCF-101", *train, *test)
    assert len(ucf101.list_videos(tmp_path, {"Fencing": "fencing"})) == 111
    write_ucf101(tmp_path, train[1:], [*test, train[0]])
    with pytest.raises(
        UserError, match=r"Fencing: expected 77 train and 34 test, found \(76, 35\)"
    ):
        ucf101.list_videos(tmp_path, {"Fencing": "fencing"})


def test_re_encoded_and_re_spelled_ucf101_clips_are_found(tmp_path: Path) -> None:
    listed = [f"Juggle/v_JuggleBalls_g0{i}_c01.avi" for i in range(3)]
    write_ucf101(tmp_path, listed[:2], listed[2:])
    fill(tmp_path, "Juggle/v_JuggleBalls_g00_c01.mp4", "Juggle/v_Juggleballs_g01_c01.webm")
    assert [video.split for video in ucf101.list_videos(tmp_path, None)] == ["train", "train"]


def test_ucf101_without_lists_or_videos_or_with_faulty_lists_says_so(tmp_path: Path) -> None:
    fill(tmp_path, "UCF-101/Juggle/a.avi")
    with pytest.raises(UserError, match=r"expected trainlist01.txt and testlist01.txt"):
        ucf101.list_videos(tmp_path, None)
    write_ucf101(tmp_path, ["Juggle/b.avi"], [])
    with pytest.raises(UserError, match="none of the 1 clips"):
        ucf101.list_videos(tmp_path, None)
    write_ucf101(tmp_path, ["Juggle/a.avi"], ["Juggle/a.avi"])
    with pytest.raises(UserError, match=r"(?s)every clip once.*Juggle/a.avi"):
        ucf101.list_videos(tmp_path, None)
    write_ucf101(tmp_path, ["Juggle/a.avi", "b.avi"], [])
    with pytest.raises(UserError, match=r"trainlist01.txt: line 2: expected <class>/<clip>.avi"):
        ucf101.list_videos(tmp_path, None)


# HMDB51


def write_hmdb51(folder: Path, own_class: str, flags: dict[str, int]) -> None:
    lines = [f"{clip} {flag} " for clip, flag in flags.items()]
    write(folder / f"{own_class}_test_split1.txt", lines)
    write(folder / f"{own_class}_test_split2.txt", [f"{clip} 2 " for clip in flags])


@pytest.mark.parametrize(
    "lists",
    [
        "testTrainMulti_7030_splits",
        "test_train_splits/testTrainMulti_7030_splits",
        "splits",
        "x",
        ".",
    ],
)
@pytest.mark.parametrize("videos", ["videos", "hmdb51_org", "."])
def test_hmdb51_is_found_where_it_may_lie_and_flag_0_is_left_out(
    tmp_path: Path, lists: str, videos: str
) -> None:
    write_hmdb51(tmp_path / lists, "golf", {"a.avi": 1, "b.avi": 0, "c.avi": 2, "d.avi": 1})
    fill(tmp_path / videos / "golf", "a.avi", "b.avi", "c.avi")
    below = "" if videos == "." else f"{videos}/"
    assert rows(hmdb51.list_videos(tmp_path, None)) == [
        (f"{below}golf/a.avi", "train", "golf"),
        (f"{below}golf/c.avi", "test", "golf"),
    ]


def test_hmdb51_classes_count_to_the_letter(tmp_path: Path) -> None:
    for own in ("climb", "climb_stairs", "shoot_gun", "shoot_ball"):
        write_hmdb51(tmp_path / "splits", own, {"a.avi": 1, "b.avi": 2})
        fill(tmp_path / "videos" / own, "a.avi")
    videos = hmdb51.list_videos(tmp_path, {"climb": "climb", "shoot_ball": "shoot_ball"})
    assert [video.path for video in videos] == ["videos/climb/a.avi", "videos/shoot_ball/a.avi"]


def test_a_wanted_hmdb51_class_that_is_not_on_disk_is_left_out(tmp_path: Path) -> None:
    for own in ("golf", "walk"):
        write_hmdb51(tmp_path / "splits", own, {"a.avi": 1, "b.avi": 2})
    fill(tmp_path / "videos", "golf/a.avi")
    assert labels(hmdb51.list_videos(tmp_path, {"golf": "golf", "walk": "walk"})) == {"golf"}


@pytest.mark.parametrize(
    "on_disk",
    [
        "Goal_1_&_2_[HD];_(x)!.avi",
        "Goal_1__2_HD_x.avi",
        "Goal_1_@_2__HD___x__.avi",
        "Goal_1_&_2_[HD];_(x)!.mp4",
    ],
)
def test_hmdb51_clips_are_found_under_sanitised_names(tmp_path: Path, on_disk: str) -> None:
    write_hmdb51(tmp_path, "golf", {"Goal_1_&_2_[HD];_(x)!.avi": 2, "Goal_1_&_3.avi": 1})
    fill(tmp_path / "golf", on_disk)
    assert rows(hmdb51.list_videos(tmp_path, None)) == [(f"golf/{on_disk}", "test", "golf")]


def test_a_file_that_is_listed_as_unused_is_not_taken_for_another(tmp_path: Path) -> None:
    write_hmdb51(tmp_path, "clap", {"Snap!_clap.avi": 1, "Snap_clap.avi": 0, "x.avi": 1})
    fill(tmp_path / "clap", "Snap_clap.avi", "x.avi")
    assert [video.path for video in hmdb51.list_videos(tmp_path, None)] == ["clap/x.avi"]


def test_a_full_hmdb51_class_has_70_and_30(tmp_path: Path) -> None:
    flags = {f"{i}.avi": 1 if i < 70 else 2 for i in range(100)} | {"spare.avi": 0}
    write_hmdb51(tmp_path, "walk", flags)
    fill(tmp_path / "walk", *flags)
    assert len(hmdb51.list_videos(tmp_path, None)) == 100
    write_hmdb51(tmp_path, "walk", flags | {"69.avi": 0})
    with pytest.raises(UserError, match=r"walk: expected 70 train and 30 test, found \(69, 30\)"):
        hmdb51.list_videos(tmp_path, None)


def test_hmdb51_without_lists_or_with_a_faulty_one_says_so(tmp_path: Path) -> None:
    fill(tmp_path / "videos" / "golf", "a.avi")
    with pytest.raises(UserError, match=r"expected files <class>_test_split1.txt"):
        hmdb51.list_videos(tmp_path, None)
    write_hmdb51(tmp_path, "golf", {"a.avi": 1, "b.avi": 3})
    with pytest.raises(
        UserError, match=r"golf_test_split1.txt: line 2: expected .* found 'b.avi 3'"
    ):
        hmdb51.list_videos(tmp_path, None)


# Olympic Sports


@pytest.mark.parametrize(
    ("lists", "spelled"),
    [
        ("train_test_split/{}", "clean and jerk"),
        ("{}_set", "clean_and_jerk"),
        ("x/{}_set", "clean_and_jerk"),
        ("x/{}", "clean_and_jerk"),
    ],
)
@pytest.mark.parametrize("videos", ["clips", "videos", "."])
def test_olympic_sports_is_found_where_it_may_lie(
    tmp_path: Path, lists: str, spelled: str, videos: str
) -> None:
    write(tmp_path / lists.format("train") / f"{spelled}.txt", ["-6Z_00858_03331 ", "Qw_1", ""])
    write(tmp_path / lists.format("test") / f"{spelled}.txt", ["_GT_00150_00391.seq", "qw_1"])
    fill(tmp_path / videos / "clean_and_jerk", "-6Z_00858_03331.avi", "_GT_00150_00391.mp4")
    fill(tmp_path / videos / "clean_and_jerk", "Qw_1.avi", "other.avi")
    found = olympic_sports.list_videos(tmp_path, {"clean_and_jerk": "lift"})
    assert [(Path(video.path).name, video.split, video.label) for video in found] == [
        ("-6Z_00858_03331.avi", "train", "lift"),
        ("Qw_1.avi", "train", "lift"),
        ("_GT_00150_00391.mp4", "test", "lift"),
    ]


def test_the_dives_are_found_under_all_their_spellings(tmp_path: Path) -> None:
    for split in ("train", "test"):
        folder = tmp_path / "train_test_split" / split
        write(folder / "platform 10m.txt", [f"p_{split}"])
        write(folder / "springboard 3m.txt", [f"s_{split}"])
    fill(tmp_path / "clips", "diving_platfrom_10m/p_train.avi", "diving_springboard_3m/s_test.avi")
    classes = dict.fromkeys(("diving_platform_10m", "diving_springboard_3m"), "dive")
    assert rows(olympic_sports.list_videos(tmp_path, classes)) == [
        ("clips/diving_platfrom_10m/p_train.avi", "train", "dive"),
        ("clips/diving_springboard_3m/s_test.avi", "test", "dive"),
    ]


def test_seq_files_must_be_converted_first(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / f"{split}_set" / "snatch.txt", [split])
    fill(tmp_path / "clips" / "snatch", "train.seq", "test.seq")
    with pytest.raises(UserError, match=r"found .seq files only.*convert each"):
        olympic_sports.list_videos(tmp_path, {"snatch": "snatch"})


def test_olympic_sports_without_lists_says_which_are_missing(tmp_path: Path) -> None:
    fill(tmp_path / "clips" / "snatch", "a.avi")
    with pytest.raises(UserError, match="expected the official lists in train_test_split/train/"):
        olympic_sports.list_videos(tmp_path, None)
    for split in ("train", "test"):
        write(tmp_path / f"{split}_set" / "snatch.txt", ["a" if split == "train" else "b"])
    with pytest.raises(UserError, match=r"expected a list vault.txt, there are only snatch.txt"):
        olympic_sports.list_videos(tmp_path, {"vault": "vault"})
    with pytest.raises(UserError, match="no classes Snatch in this data set"):
        olympic_sports.list_videos(tmp_path, {"Snatch": "snatch"})


# which listed name is which file


def test_an_equal_name_wins_over_a_similar_one() -> None:
    assert match(["a!.avi", "a.avi"], ["a.avi", "a!.avi"]) == {"a!.avi": "a!.avi", "a.avi": "a.avi"}


def test_what_equal_names_leave_over_is_told_apart() -> None:
    assert match(["a-b.avi", "ab!.avi"], ["a-b.avi", "ab.avi"])["ab!.avi"] == "ab.avi"


def test_case_tells_apart_what_is_left() -> None:
    names, files = ["A_b!.avi", "a_b!.avi"], ["a_b.avi", "A_b.avi"]
    assert match(names, files) == {"A_b!.avi": "A_b.avi", "a_b!.avi": "a_b.avi"}


def test_names_that_become_equal_stay_unmatched() -> None:
    assert match(["a!.avi", "a?.avi"], ["a.avi"]) == {}


def test_two_files_for_one_name_are_refused() -> None:
    with pytest.raises(UserError, match=r"'a.avi', found 'a.mkv', 'a.mp4'; keep one"):
        match(["a.avi"], ["a.mkv", "a.mp4"])


# class maps and known numbers


def total(name: str, dataset: Name) -> tuple[int, int]:
    known = [
        counts.known("ucf101" if dataset == "ucf101" else "hmdb51", own)
        for own in class_map(name, dataset)
    ]
    assert None not in known
    return sum(pair[0] for pair in known if pair), sum(pair[1] for pair in known if pair)


@pytest.mark.parametrize(
    ("name", "dataset", "expected"),
    [
        ("ucf_hmdb_full", "ucf101", (1438, 571)),
        ("ucf_hmdb_full", "hmdb51", (840, 360)),
        ("ucf_hmdb_small", "ucf101", (482, 189)),
        ("ucf_hmdb_small", "hmdb51", (350, 150)),
        ("ucf_olympic", "ucf101", (601, 240)),
    ],
)
def test_the_known_numbers_add_up_to_the_published_totals(
    name: str, dataset: Name, expected: tuple[int, int]
) -> None:
    assert total(name, dataset) == expected


def test_merged_classes_have_the_published_numbers() -> None:
    merged = {
        task: tuple(
            sum(pair)
            for pair in zip(
                *(counts.UCF101[own] for own, name in UCF_HMDB_FULL.items() if name == task),
                strict=True,
            )
        )
        for task in ("climb", "punch")
    }
    assert merged == {"climb": (188, 75), "punch": (332, 125)}


@pytest.mark.parametrize(
    ("kitchen", "expected"), [("D1", (1543, 435)), ("D2", (2495, 750)), ("D3", (3897, 974))]
)
def test_a_kitchen_s_verbs_add_up_to_its_published_sizes(
    kitchen: Kitchen, expected: tuple[int, int]
) -> None:
    pairs = [counts.known_in_kitchen(kitchen, verb) for verb in counts.VERBS]
    assert (sum(train for train, _ in pairs), sum(test for _, test in pairs)) == expected


@pytest.mark.parametrize(
    ("name", "classes"),
    [("ucf_hmdb_full", 12), ("ucf_hmdb_small", 5), ("ucf_olympic", 6), ("epic", 8)],
)
def test_all_data_sets_of_a_map_have_the_same_task_classes(name: MapName, classes: int) -> None:
    tasks = {frozenset(own.values()) for own in MAPS[name].values()}
    assert len(tasks) == 1
    assert len(tasks.pop()) == classes
    assert set(class_map(name, "folder")) == set(next(iter(MAPS[name].values())).values())


def test_a_list_of_classes_maps_each_to_itself() -> None:
    assert class_map(["jump", "run"], "folder") == {"jump": "jump", "run": "run"}


@pytest.mark.parametrize(
    ("name", "dataset", "message"),
    [
        ("ucf_hmdb", "ucf101", "no class map 'ucf_hmdb'; there are ucf_hmdb_full"),
        ("ucf_olympic", "hmdb51", "ucf_olympic has ucf101, olympic_sports, not hmdb51"),
        ((), "folder", "found an empty list"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(
    name: str | tuple[str, ...], dataset: Name, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        class_map(name, dataset)
