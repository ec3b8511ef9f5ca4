"""A domain's videos listed in a CSV: `video`, and optionally `label` and `split`."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

from pipeline import video_table
from pipeline.datasets.disk import shortened, videos_below
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.selection import composed, select
from pipeline.errors import UserError
from pipeline.index import leads_out

COLUMNS = ("video", "label", "split")
SPLITS: Mapping[str, Split] = {"train": "train", "test": "test"}
Locate = Callable[[str], tuple[str, str]]  # what column video says -> key, path below the root


def has_video_column(path: Path) -> bool:
    """Whether the first line of a CSV names a column `video`.

    Raises:
        UserError: the file is not UTF-8, not a CSV, or separated by something else than commas.
    """
    header = video_table.read(path).header
    if "video" not in header and len(header) == 1 and "video" in re.split(r"[;\t|]", header[0]):
        raise UserError(
            f"{path}: expected a CSV separated by commas, found the first line {header[0]!r}; "
            "save it with commas"
        )
    return "video" in header


def read_csv(path: Path, root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of a CSV in UTF-8, with or without a byte order mark, comma separated.

    Column `video` is the path below `root`; `label` the class, in every row or, without the
    column, in none; `split` is train or test, and without the column it is made from a hash of
    the key (`hashed_split`). Other columns are ignored, and so are empty lines. A path spelled
    in another Unicode form than on disk is found, and takes the spelling on disk.

    Raises:
        UserError: one message with the first faulty lines: a missing file, a path outside
            `root`, a row given twice, an empty label, a split other than train or test, a row
            with more or fewer fields than the header.
    """
    respelled = cache(lambda: {composed(name): name for name in videos_below(root)})

    def locate(written: str) -> tuple[str, str]:
        on_disk = _path(written, root, respelled)
        return on_disk, on_disk

    return select(read_rows(path, locate), classes, root)


def read_rows(path: Path, locate: Locate, *, some_without_label: bool = False) -> list[Listed]:
    """The videos of a CSV in its order, whatever it is that stands for each on disk.

    Args:
        path: of the CSV, see `read_csv`.
        locate: finds a video, or raises FaultyRowError.
        some_without_label: whether an empty label means that nobody knows it.

    Raises:
        UserError: as `read_csv`.
    """
    header, rows = video_table.read(path)
    video_table.require_column(path, header)
    places = {name: header.index(name) for name in COLUMNS if name in header}
    videos: dict[str, Listed] = {}
    faults = []
    for line, row in rows:
        try:
            video = _video(row, len(header), places, locate)
            if video.label == "" and not some_without_label:
                raise FaultyRowError("empty label (of an unlabelled domain, leave the column out)")
            if video.key in videos:
                raise FaultyRowError(f"{video.key!r} was listed before")
            videos[video.key] = replace(video, label=video.label or None)
        except FaultyRowError as fault:
            faults.append(f"line {line}: {fault}")
    if faults:
        raise UserError(
            f"{path}: {len(faults)} of {len(rows)} rows cannot be used; mend them:\n"
            f"{shortened(faults)}"
        )
    return list(videos.values())


class FaultyRowError(Exception):
    """What is wrong with one row."""


def _video(row: list[str], width: int, places: Mapping[str, int], locate: Locate) -> Listed:
    """One row; an empty label stays empty."""
    if len(row) != width:
        raise FaultyRowError(
            f"{len(row)} fields, the first line has {width}; a comma inside a field needs quotes "
            "around the field"
        )
    key, path = locate(row[places["video"]])
    label = row[places["label"]].strip() if "label" in places else None
    if "split" not in places:
        return Listed(key, path, hashed_split(key), label)
    split = row[places["split"]].strip()
    if split not in SPLITS:
        raise FaultyRowError(f"split {split!r} is neither train nor test")
    return Listed(key, path, SPLITS[split], label)


def _path(written: str, root: Path, respelled: Callable[[], Mapping[str, str]]) -> str:
    """The path of a video below `root`; `respelled`: path in composed Unicode -> path on disk."""
    path = PurePosixPath(written)
    if leads_out(written):
        raise FaultyRowError(f"video {written!r} is not a path below {root}")
    with suppress(OSError):  # a name that is too long
        if (root / path).is_file():
            return path.as_posix()
    on_disk = respelled().get(composed(path.as_posix()))
    if on_disk is None:
        raise FaultyRowError(f"no file {written!r} below {root}")
    return on_disk
