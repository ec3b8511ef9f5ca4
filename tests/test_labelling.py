"""The classes of a task, and the videos that have one of them."""

import pytest
import torch

from pipeline.errors import UserError
from pipeline.index import Split, Video
from pipeline.labelling import Labelled, of_classes, of_split, require_every_class, task_classes


def video(key: str, split: Split = "train") -> Video:
    return Video(key, key, None, None, split, "0")


def test_a_task_has_the_classes_that_both_domains_have_in_order() -> None:
    assert task_classes(None, ["run", "jump", "sit"], ["walk", "sit", "run"]) == ("run", "sit")


def test_a_target_without_labels_leaves_all_of_the_sources_classes() -> None:
    assert task_classes(None, ["run", "jump"], []) == ("jump", "run")


def test_wanted_classes_win_and_each_counts_once() -> None:
    source = ["run", "jump", "sit"]
    assert task_classes(["sit", "run", "sit"], source, ["walk"]) == ("run", "sit")


def test_a_wanted_class_that_the_source_lacks_is_named() -> None:
    expected = "task.classes: the source has no class fly, swim; it has jump, run"
    with pytest.raises(UserError, match=expected):
        task_classes(["swim", "run", "fly"], ["run", "jump"], [])


@pytest.mark.parametrize(
    ("wanted", "source", "target"),
    [
        (None, ["run", "jump"], ["jump", "fly"]),
        (None, ["run"], []),
        (None, [], ["run", "jump"]),
        (["run"], ["run", "jump"], []),
        (["run", "run"], ["run", "jump"], []),
    ],
)
def test_fewer_than_two_classes_are_no_task(
    wanted: list[str] | None, source: list[str], target: list[str]
) -> None:
    with pytest.raises(UserError, match="classes, at least 2 are needed; source: "):
        task_classes(wanted, source, target)


def test_only_videos_of_the_classes_count_and_classes_are_numbered_in_order() -> None:
    labels = {"a": "run", "b": "sit", "c": "fly", "e": "run", "gone": "run"}
    videos = [video(key) for key in "ebcda"]
    known = of_classes(videos, labels, ["run", "sit"])
    assert known.keys == ("e", "b", "a")
    assert known.numbers.tolist() == [0, 1, 0]
    assert known.numbers.dtype == torch.int64


def test_without_labels_no_video_is_known() -> None:
    known = of_classes([video("a")], {}, ["run", "sit"])
    assert known.keys == ()
    assert known.numbers.shape == (0,)
    assert known.numbers.dtype == torch.int64


def test_a_split_keeps_its_videos_in_order() -> None:
    videos = [video("b", "test"), video("c"), video("a", "test")]
    assert [one.key for one in of_split(videos, "test")] == ["b", "a"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_split_is_refused(split: str) -> None:
    other: Split = "test" if split == "train" else "train"
    with pytest.raises(UserError, match=f"the index lists no {split} video"):
        of_split([video("a", other)], split)


def test_a_class_without_a_training_video_is_named() -> None:
    classes = ("jump", "run", "walk")
    videos = Labelled(("a", "b"), torch.tensor([0, 2]))
    with pytest.raises(UserError, match=r"lab: no training video of run, .*task\.classes"):
        require_every_class(videos, classes, "lab")
    require_every_class(Labelled(("a", "b"), torch.tensor([1, 0])), classes[:2], "lab")
