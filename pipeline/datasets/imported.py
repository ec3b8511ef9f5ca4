"""Features that a user already has, in place of videos.

Either a videos.csv and what `pipeline.listed_features` knows, or .npz files, see
`pipeline.feature_files`. Beside the features such a file may hold `label` (n strings, an empty one
where nobody knows) and `split` (n strings, train or test); an empty label in the CSV is the same.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline import feature_files, listed_features, npz
from pipeline.datasets.csv_listing import SPLITS, FaultyRowError, read_rows
from pipeline.datasets.disk import files_in, shortened
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.selection import select
from pipeline.errors import UserError

LAYOUT = (
    "one or more .npz files with the arrays key, rgb, flow and, as far as known, label, split; or "
    "videos.csv (video,label,split) and the .npy or .npz files of these videos"
)


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of videos.csv, or of the files directly in `root`; sorted by key.

    The path is that of a file with features of the video: RGB, if flow is in another.

    Args:
        root: the domain's folder, or a link to it.
        classes: class name in the files -> the task's name; None keeps them all. Unlabelled
            videos are always kept, with label None.

    Raises:
        UserError: no file; whatever is wrong with one, see `feature_files.read_all`; labels or
            splits that are no strings, or not one a key; a split other than train or test; faulty
            rows of videos.csv, or videos of it without features.
    """
    table = root / listed_features.TABLE
    if table.is_file():
        rows = read_rows(table, lambda key: (key, _path(root, key)), some_without_label=True)
        return select(rows, classes, root)
    names = files_in(root, ".npz")
    if not names:
        raise UserError(
            f"{root}: expected {LAYOUT}; found neither a videos.csv nor an .npz file directly there"
        )
    files = feature_files.read_all([root / name for name in names])
    return select([video for file in files for video in _videos(file)], classes, root)


def _path(root: Path, key: str) -> str:
    """The path below `root` of a file with features of the video."""
    if not key or {"\0", "\r"} & set(key):
        raise FaultyRowError(f"video {key!r} is empty or holds a NUL or carriage return")
    try:
        files = [listed_features.first_file(part) for part in listed_features.place(root, key)]
    except UserError as fault:
        raise FaultyRowError(str(fault)) from None
    return files[0].relative_to(root).as_posix()


def _videos(file: feature_files.FeatureFile) -> list[Listed]:
    columns = {
        name: npz.texts(file.path, name, array, len(file.keys))
        for name, array in npz.read(file.path, ("label", "split")).items()
    }
    labels = columns.get("label", [""] * len(file.keys))
    splits = _splits(file, columns.get("split"))
    return [
        Listed(key, file.path.name, split, label.strip() or None)
        for key, split, label in zip(file.keys, splits, labels, strict=True)
    ]


def _splits(file: feature_files.FeatureFile, given: list[str] | None) -> list[Split]:
    if given is None:
        return [hashed_split(key) for key in file.keys]
    faults = [
        f"{key!r}: {split!r}"
        for key, split in zip(file.keys, given, strict=True)
        if split not in SPLITS
    ]
    if faults:
        raise UserError(
            f"{file.path}: split: expected train or test, found {len(faults)} others; mend them, "
            f"or leave the array out:\n{shortened(faults)}"
        )
    return [SPLITS[split] for split in given]
