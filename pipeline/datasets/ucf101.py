"""UCF101, official split 1.

Lists: `trainlist01.txt` (`<class>/<clip>.avi <number>`) and `testlist01.txt` (`<class>/<clip>.avi`)
of the set's `ucfTrainTestlist`, in a folder of that name, in `splits`, or in any folder directly
below the root, or in the root. The class is in each line, so `classInd.txt` is not needed.
Videos: `UCF-101/<class>/`, `videos/<class>/`, `<class>/`, or `<class>/` one level deeper.
Class names count to the letter: BasketballDunk is not Basketball.

Soomro, Zamir and Shah, "UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild",
CRCV-TR-12-01, 2012.
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

LAYOUT = "UCF-101/<class>/*.avi and ucfTrainTestlist/{train,test}list01.txt"
LISTS: Mapping[str, Split] = {"trainlist01.txt": "train", "testlist01.txt": "test"}
LIST_FOLDERS = ("ucfTrainTestlist", "splits")
VIDEO_FOLDERS = ("UCF-101", "videos")


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of split 1 that are on disk, sorted by key; the key is the path below `root`.

    Args:
        root: the folder of the set, or a link to it.
        classes: UCF101 class -> the task's name; None: all 101 under their own names.

    Raises:
        UserError: no lists, a faulty line, an unknown class, no videos, or, when every listed
            video is there, numbers other than the known ones.
    """
    folder = _list_folder(root)
    clips = [clip for name, split in LISTS.items() for clip in _read_list(folder / name, split)]
    wanted = wanted_classes(classes, {clip.own_class for clip in clips}, folder)
    clips = [clip for clip in clips if clip.own_class in wanted]
    folders = class_folders(root, wanted, VIDEO_FOLDERS)
    return find_videos("ucf101", root, clips, folders, classes)


def _list_folder(root: Path) -> Path:
    for folder in places(root, LIST_FOLDERS):
        if all((folder / name).is_file() for name in LISTS):
            return folder
    raise UserError(
        f"{root}: expected {' and '.join(LISTS)} there or in a folder directly below; put the "
        f"official ucfTrainTestlist there (the layout is {LAYOUT})"
    )


def _read_list(path: Path, split: Split) -> list[Official]:
    clips = []
    for number, line in read_lines(path):
        own_class, slash, name = line.split()[0].partition("/")
        if not slash or not own_class or not name:
            raise UserError(
                f"{path}: line {number}: expected <class>/<clip>.avi, found {line!r:.200}; get the "
                "official ucfTrainTestlist again"
            )
        clips.append(Official(own_class, name, split))
    return clips
