"""Olympic Sports, official train and test lists; 16 classes.

Lists: a text file per class, a clip a line without the ending of its file, in
`train_test_split/train/` and `train_test_split/test/`, or in `train_set/` and `test_set/`, in the
root or in a folder directly below. Videos: `clips/<class>/`, `videos/<class>/`, `<class>/`, or
`<class>/` one level deeper.

The set comes as .seq files (Piotr Dollar's and Norpix's format), which have to be converted to
videos of the same name first.

What rests on what: that the lists lie in `train_test_split/{train,test}/`, that their names have
spaces for underscores and lack the word diving, and that the folder of the platform dives is
spelled `diving_platfrom_10m`, is taken from public code that reads the set and from a public
listing of its files, not from the set itself; `train_set/` and `test_set/` only from hearsay. So
spaces, underscores and these spellings are treated as equal. That listing has 304 clips in the
six classes of UCF-Olympic; which of them are test is not known here, so no number is checked.

Niebles, Chen and Fei-Fei, "Modeling Temporal Structure of Decomposable Motion Segments for
Activity Classification", ECCV 2010.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.disk import is_video, read_lines, videos_in
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.official import (
    Official,
    class_folders,
    find_videos,
    places,
    wanted_classes,
)
from pipeline.errors import UserError

LAYOUT = "clips/<class>/<clip>.avi and train_test_split/{train,test}/<class>.txt"
CLASSES = (
    *("basketball_layup", "bowling", "clean_and_jerk", "discus_throw", "diving_platform_10m"),
    *("diving_springboard_3m", "hammer_throw", "high_jump", "javelin_throw", "long_jump"),
    *("pole_vault", "shot_put", "snatch", "tennis_serve", "triple_jump", "vault"),
)
LIST_FOLDERS = ("train_test_split", "splits")
SPLIT_FOLDERS: tuple[Mapping[Split, str], ...] = (
    {"train": "train", "test": "test"},
    {"train": "train_set", "test": "test_set"},
)
VIDEO_FOLDERS = ("clips", "videos")


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of the official split that are on disk, sorted by key, their path below `root`.

    Args:
        root: the folder of the set, or a link to it.
        classes: class (as in CLASSES) -> the task's name; None: all under their own names.

    Raises:
        UserError: no lists, a class without a list, an unknown class, no videos, .seq files only.
    """
    wanted = wanted_classes(classes, CLASSES, root)
    lists = _find_lists(root)
    clips = [
        clip
        for split, folder in lists.items()
        for own in wanted
        for clip in _read_list(folder, own, split)
    ]
    folders = class_folders(root, wanted, VIDEO_FOLDERS, _spelling)
    _check_converted(folders)
    return find_videos("olympic_sports", root, clips, folders, classes)


def _spelling(name: str) -> str:
    """One form of a class's name for all the ways in which the set spells it."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return letters.removeprefix("diving").replace("platfrom", "platform")


def _find_lists(root: Path) -> dict[Split, Path]:
    """The folder of lists of each split."""
    for place in places(root, LIST_FOLDERS):
        for names in SPLIT_FOLDERS:
            folders = {split: place / name for split, name in names.items()}
            if all(any(folder.glob("*.txt")) for folder in folders.values()):
                return folders
    raise UserError(
        f"{root}: expected the official lists in train_test_split/train/ and "
        f"train_test_split/test/, found none; put them there (the layout is {LAYOUT})"
    )


def _read_list(folder: Path, own_class: str, split: Split) -> list[Official]:
    there = {_spelling(path.stem): path for path in sorted(folder.glob("*.txt"))}
    path = there.get(_spelling(own_class))
    if path is None:
        raise UserError(
            f"{folder}: expected a list {own_class}.txt, there are only "
            f"{', '.join(path.name for path in there.values())}; get the official lists again"
        )
    return [Official(own_class, _without_ending(line), split) for _, line in read_lines(path)]


def _without_ending(name: str) -> str:
    return Path(name).stem if is_video(name) or name.endswith(".seq") else name


def _check_converted(folders: Mapping[str, Path]) -> None:
    if any(videos_in(folder) for folder in folders.values()):
        return
    for folder in folders.values():
        if any(folder.glob("*.seq")):
            raise UserError(
                f"{folder}: expected videos, found .seq files only, which no video reader here "
                "opens; convert each to a video of the same name (for instance <clip>.avi, with "
                "a reader of Norpix .seq files) in the same folder"
            )
