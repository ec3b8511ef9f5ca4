"""Features that a user already has: .npz files in place of videos, see `pipeline.feature_files`.

Beside the features a file may hold `label` (n strings, an empty one where nobody knows) and
`split` (n strings, train or test).
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline import feature_files, npz
from pipeline.datasets.csv_listing import SPLITS
from pipeline.datasets.disk import files_in, shortened
from pipeline.datasets.hashed_split import hashed_split
from pipeline.datasets.listing import Listed, Split
from pipeline.datasets.selection import select
from pipeline.errors import UserError
from pipeline.index import IMPORTED_SUFFIX

LAYOUT = "one or more .npz files with the arrays key, rgb, flow and, as far as known, label, split"


def list_videos(root: Path, classes: Mapping[str, str] | None) -> list[Listed]:
    """Videos of the files directly in `root`, sorted by key; the path is that of their file.

    Args:
        root: the domain's folder, or a link to it.
        classes: class name in the files -> the task's name; None keeps them all. Unlabelled
            videos are always kept, with label None.

    Raises:
        UserError: no file; whatever is wrong with one, see `feature_files.read_all`; labels or
            splits that are no strings, or not one a key; a split other than train or test.
    """
    names = files_in(root, IMPORTED_SUFFIX)
    if not names:
        raise UserError(f"{root}: expected {LAYOUT}; found no .npz file directly there")
    files = feature_files.read_all([root / name for name in names])
    return select([video for file in files for video in _videos(file)], classes, root)


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
