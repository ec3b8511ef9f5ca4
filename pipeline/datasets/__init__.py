"""Where each data set's videos, labels and official splits are: one file per data set."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.datasets import (
    demo,
    epic_kitchens,
    folder,
    hmdb51,
    imported,
    olympic_sports,
    received,
    ucf101,
)
from pipeline.datasets.counts import Kitchen
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError

Name = Literal[
    "ucf101",
    "hmdb51",
    "olympic_sports",
    "epic_kitchens",
    "folder",
    "demo",
    "imported",
    "received",
]


class _Dataset(NamedTuple):
    list_videos: Callable[[Path, Mapping[str, str] | None], list[Listed]]
    layout: str


_WITHOUT_KITCHEN: Mapping[Name, _Dataset] = {
    "ucf101": _Dataset(ucf101.list_videos, ucf101.LAYOUT),
    "hmdb51": _Dataset(hmdb51.list_videos, hmdb51.LAYOUT),
    "olympic_sports": _Dataset(olympic_sports.list_videos, olympic_sports.LAYOUT),
    "folder": _Dataset(folder.list_videos, folder.LAYOUT),
    "demo": _Dataset(demo.list_videos, demo.LAYOUT),
    "imported": _Dataset(imported.list_videos, imported.LAYOUT),
    "received": _Dataset(received.list_videos, received.LAYOUT),
}


def list_videos(
    dataset: Name,
    root: Path,
    classes: Mapping[str, str] | None,
    kitchen: Kitchen | None = None,
) -> list[Listed]:
    """Videos of a domain, sorted by key (code points), each key once.

    Args:
        dataset: which data set lies in `root`.
        root: the domain's folder, or a link to it.
        classes: own class name -> the task's class name; several own names may have one; videos
            of other classes are left out. None: all classes under their own names.
        kitchen: which kitchen; for epic_kitchens, and only for it.

    Raises:
        UserError: `root` is missing, no folder, or empty; a kitchen where none belongs or none
            where one does; whatever the data set's own `list_videos` raises.
    """
    layout = _layout(dataset)
    _check_root(dataset, root, layout)
    if dataset == "epic_kitchens":
        if kitchen is None:
            raise UserError(
                "epic_kitchens: expected a kitchen; set the domain's kitchen to D1, D2 or D3"
            )
        return epic_kitchens.list_videos(root, classes, kitchen)
    if kitchen is not None:
        raise UserError(
            f"{dataset} has no kitchens, found {kitchen}; take the domain's kitchen out"
        )
    return _WITHOUT_KITCHEN[dataset].list_videos(root, classes)


def _layout(dataset: Name) -> str:
    if dataset == "epic_kitchens":
        return epic_kitchens.LAYOUT
    return _WITHOUT_KITCHEN[dataset].layout


def _check_root(dataset: Name, root: Path, layout: str) -> None:
    what = f"expected a folder, or a link to one, with the videos of {dataset}: {layout}"
    if root.is_symlink() and not root.exists():
        raise UserError(f"{root}: {what}; found a link to {root.readlink()}, which is not there")
    if not root.exists():
        raise UserError(
            f"{root}: {what}; it is missing; put them there, or make it a link to where they are"
        )
    if not root.is_dir():
        raise UserError(f"{root}: {what}; found a file; put a folder there")
    if not any(not path.name.startswith(".") for path in root.iterdir()):
        raise UserError(
            f"{root}: {what}; it is empty; put them there, or make it a link to where they are"
        )
