"""A domain's videos listed in a CSV: `video`, and optionally `label` and `split`."""

import csv
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath

from pipeline.datasets.disk import shortened, videos_below
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.selection import composed, select
from pipeline.errors import UserError
from pipeline.index import leads_out

COLUMNS = ("video", "label", "split")
SPLITS: Mapping[str, Split] = {"train": "train", "test": "test"}
_Respelled = Callable[[], Mapping[str, str]]  # path in composed Unicode -> path on disk


def has_video_column(path: Path) -> bool:
    """Whether the first line of a CSV names a column `video`.

    Raises:
        UserError: the file is not UTF-8, not a CSV, or separated by something else than commas.
    """
    header, _ = _read(path)
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
    header, rows = _read(path)
    if "video" not in header:
        raise UserError(
            f"{path}: expected a first line with the column video (comma separated; label and "
            f"split are optional), found {','.join(header)!r}"
        )
    places = {name: header.index(name) for name in COLUMNS if name in header}
    respelled = cache(lambda: {composed(name): name for name in videos_below(root)})
    videos: dict[str, Listed] = {}
    faults = []
    for line, row in rows:
        try:
            video = _video(row, len(header), places, root, respelled)
            if video.path in videos:
                raise _FaultyRowError(f"{video.path!r} was listed before")
            videos[video.path] = video
        except _FaultyRowError as fault:
            faults.append(f"line {line}: {fault}")
    if faults:
        raise UserError(
            f"{path}: {len(faults)} of {len(rows)} rows cannot be used; mend them:\n"
            f"{shortened(faults)}"
        )
    return select(videos.values(), classes, root)


class _FaultyRowError(Exception):
    """What is wrong with one row."""


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, lower case, and the rows that are not empty with their line numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            rows = [(reader.line_num, row) for row in reader if row]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); mend its rights") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected a CSV in UTF-8; {error}; save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not a CSV: {error}") from error
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    return header, rows[1:]


def _video(
    row: list[str], width: int, places: Mapping[str, int], root: Path, respelled: _Respelled
) -> Listed:
    if len(row) != width:
        raise _FaultyRowError(
            f"{len(row)} fields, the first line has {width}; a comma inside a field needs quotes "
            "around the field"
        )
    path = _path(row[places["video"]], root, respelled)
    label = row[places["label"]].strip() if "label" in places else None
    if label == "":
        raise _FaultyRowError("empty label (of an unlabelled domain, leave the column out)")
    if "split" not in places:
        return Listed(path, path, hashed_split(path), label)
    split = row[places["split"]].strip()
    if split not in SPLITS:
        raise _FaultyRowError(f"split {split!r} is neither train nor test")
    return Listed(path, path, SPLITS[split], label)


def _path(written: str, root: Path, respelled: _Respelled) -> str:
    path = PurePosixPath(written)
    if leads_out(written):
        raise _FaultyRowError(f"video {written!r} is not a path below {root}")
    with suppress(OSError):  # a name that is too long
        if (root / path).is_file():
            return path.as_posix()
    on_disk = respelled().get(composed(path.as_posix()))
    if on_disk is None:
        raise _FaultyRowError(f"no file {written!r} below {root}")
    return on_disk
