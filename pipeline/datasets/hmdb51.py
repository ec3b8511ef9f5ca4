"""HMDB51, official split 1: 70 train and 30 test clips of each class.

Lists: `<class>_test_split1.txt` (`<clip>.avi <flag>`; 1 is train, 2 is test, 0 belongs to neither
and is left out) of the set's `testTrainMulti_7030_splits`, in a folder of that name, in `splits`,
in any folder directly below the root, or in the root.
Videos: `videos/<class>/`, `<class>/`, or `<class>/` one level deeper.
Class names count to the letter: climb_stairs is not climb, shoot_gun is not shoot_ball.

Clip names hold `&`, `!`, `#`, brackets, `;`, which many copies drop or replace; how a listed name
finds its file then is `official.match`'s rule. Ten of the set's 6766 clips (in clap, flic_flac and
smile) differ from a neighbour in nothing but such characters; of these a renamed one may stay out.

Kuehne, Jhuang, Garrote, Poggio and Serre, "HMDB: A Large Video Database for Human Motion
Recognition", ICCV 2011.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.disk import read_lines
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.official import (
    Official,
    class_folders,
    find_videos,
    places,
    wanted_classes,
)
from pipeline.errors import UserError

LAYOUT = "videos/<class>/*.avi and testTrainMulti_7030_splits/<class>_test_split1.txt"
LIST_ENDING = "_test_split1.txt"
LIST_FOLDERS = (
    *("testTrainMulti_7030_splits", "splits"),
    "test_train_splits/testTrainMulti_7030_splits",
)
VIDEO_FOLDERS = ("videos",)
SPLITS: Mapping[str, Split | None] = {"0": None, "1": "train", "2": "test"}


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of split 1 that are on disk, sorted by key; the key is the path below `root`.

    Args:
        root: the folder of the set, or a link to it.
        classes: HMDB51 class -> the task's name; None: all 51 under their own names.

    Raises:
        UserError: no lists, a faulty line, an unknown class, no videos, or, when every listed
            video is there, numbers other than 70 and 30.
    """
    lists = _find_lists(root)
    wanted = wanted_classes(classes, lists, next(iter(lists.values())).parent)
    clips = [clip for own in wanted for clip in _read_list(lists[own], own)]
    folders = class_folders(root, wanted, VIDEO_FOLDERS)
    return find_videos("hmdb51", root, clips, folders, classes)


def _find_lists(root: Path) -> dict[str, Path]:
    """The list of each class."""
    for folder in places(root, LIST_FOLDERS):
        paths = sorted(folder.glob(f"*{LIST_ENDING}"))
        if paths:
            return {path.name.removesuffix(LIST_ENDING): path for path in paths}
    raise UserError(
        f"{root}: expected files <class>{LIST_ENDING} there or in a folder directly below; put "
        f"the official testTrainMulti_7030_splits there (the layout is {LAYOUT})"
    )


def _read_list(path: Path, own_class: str) -> list[Official]:
    clips = []
    for number, line in read_lines(path):
        name, _, flag = line.rpartition(" ")
        if not name or flag not in SPLITS:
            raise UserError(
                f"{path}: line {number}: expected <clip>.avi and 0, 1 or 2, found {line!r:.99}; "
                "get the official testTrainMulti_7030_splits again"
            )
        clips.append(Official(own_class, name.strip(), SPLITS[flag]))
    return clips
