"""A user's own data: a CSV, a folder per class, or videos alone. Found by looking.

1. A CSV with a column `video` directly in the root (see `csv_listing.read_csv`). If several
   have one, `videos.csv` wins.
2. `<class>/**/<video>`, or `train/<class>/**/<video>` and `test/<class>/**/<video>`.
3. Videos directly in the root, or directly in `train/` and `test/`: unlabelled.

Without a split, a video's split is made from a hash of its key (`hashed_split`).
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pipeline.datasets.csv_listing import SPLITS, has_video_column, read_csv
from pipeline.datasets.disk import VIDEO_SUFFIXES, shortened, videos_below
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed
from pipeline.datasets.selection import select
from pipeline.errors import UserError

LAYOUT = "<class>/<video>, or a CSV video,label,split, or unlabelled videos alone"


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of a user's own folder, sorted by key; the key is the path below `root`.

    Args:
        root: the domain's folder, or a link to it.
        classes: class name on disk or in the CSV -> the task's name; None keeps them all.
            Unlabelled videos are always kept, with label None.

    Raises:
        UserError: faulty rows of a CSV, several CSVs, a mix of layouts, no videos.
    """
    table = _find_csv(root)
    if table is not None:
        return read_csv(table, root, classes)
    paths = videos_below(root)
    if not paths:
        raise UserError(
            f"{root}: expected videos ({' '.join(sorted(VIDEO_SUFFIXES))}) laid out as {LAYOUT}; "
            "found none"
        )
    return select(_by_folders(paths, root), classes, root)


def _find_csv(root: Path) -> Path | None:
    named = root / "videos.csv"
    if named.is_file():
        return named
    tables = sorted(
        path
        for path in root.iterdir()
        if path.suffix.lower() == ".csv" and not path.name.startswith(".") and path.is_file()
    )
    usable = [path for path in tables if has_video_column(path)]
    if len(usable) > 1:
        names = ", ".join(path.name for path in usable)
        raise UserError(
            f"{root}: expected one CSV with a column video, found {names}; "
            "name the one to use videos.csv"
        )
    return usable[0] if usable else None


def _by_folders(paths: list[str], root: Path) -> list[Listed]:
    """Split and label of each path, from the folders it lies in."""
    folders = {path: PurePosixPath(path).parts[:-1] for path in paths}
    depths = {len(parts) for parts in folders.values()}
    if depths == {0}:
        return [Listed(path, path, hashed_split(path)) for path in paths]
    if 0 in depths:
        alone = [path for path, parts in folders.items() if not parts]
        raise UserError(
            f"{root}: expected videos either in a folder per class or all directly there, found "
            f"both; move these into their class:\n{shortened(alone)}"
        )
    if all(_is_split(parts[0]) for parts in folders.values()):
        return _by_split_folders(folders, root)
    _check_no_split_folders(folders, root)
    return [Listed(path, path, hashed_split(path), parts[0]) for path, parts in folders.items()]


def _by_split_folders(folders: Mapping[str, tuple[str, ...]], root: Path) -> list[Listed]:
    alone = [path for path, parts in folders.items() if len(parts) == 1]
    labelled = len(alone) == 0
    if alone and len(alone) < len(folders):
        raise UserError(
            f"{root}: expected train/<class>/<video> and test/<class>/<video>, found videos "
            f"without a class too; move these into their class:\n{shortened(alone)}"
        )
    return [
        Listed(path, path, SPLITS[parts[0].lower()], parts[1] if labelled else None)
        for path, parts in folders.items()
    ]


def _check_no_split_folders(folders: Mapping[str, tuple[str, ...]], root: Path) -> None:
    """A class may be called train, but train/<class>/ beside other folders is a mistake."""
    if any(_is_split(parts[0]) and len(parts) > 1 for parts in folders.values()):
        tops = {parts[0] for parts in folders.values()}
        others = ", ".join(sorted(top for top in tops if not _is_split(top)))
        raise UserError(
            f"{root}: expected train/<class>/ and test/<class>/ alone, or <class>/ alone; found "
            f"beside them {others}; move these out, or name the held-out part test"
        )


def _is_split(folder: str) -> bool:
    return folder.lower() in SPLITS
