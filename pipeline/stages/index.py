"""Stage `index`: a domain's raw folder -> which videos it holds, and apart from them, the labels.

Reads   data/raw/<domain>, params domains.<domain>
Writes  data/index/<domain>/videos.csv, labels.csv, classes.csv
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline import datasets, file_hashes, index, params, paths, stages
from pipeline.datasets.class_maps import class_map
from pipeline.datasets.listing import Listed
from pipeline.errors import UserError
from pipeline.staging import Staging

DEEPEST = 100  # folders in folders


def list_domain(root: Path, domain: params.Domain) -> list[Listed]:
    """The domain's videos, less those on its skip list."""
    classes = class_map(domain.classes, domain.dataset) if domain.classes else None
    listed = datasets.list_videos(domain.dataset, root, classes, domain.kitchen)
    absent = sorted(set(domain.skip) - {video.key for video in listed})
    for key in absent:
        print(f"note: the skip list names {key!r}, which is not among the videos")
    return [video for video in listed if video.key not in domain.skip]


def refuse_linked_folders(root: Path) -> None:
    """DVC does not look behind links to folders inside a domain, so changes there would be missed.

    Raises UserError at the first one; the domain's folder itself may be a link.
    """
    for folder, names, _ in os.walk(root):
        if folder.count(os.sep) > str(root).count(os.sep) + DEEPEST:
            raise UserError(f"{root}: folders in folders, more than {DEEPEST} deep; move them up")
        for name in names:
            link = Path(folder) / name
            if link.is_symlink():
                raise UserError(
                    f"{link}: a link to a folder inside a domain, whose changes DVC would not see; "
                    f"copy it there (`cp -rl` costs no space), or make {root} itself the link"
                )


def hashed(name: str, root: Path, listed: Sequence[Listed]) -> list[index.Video]:
    """The videos with the hash of each file's bytes; a file of many segments is read once."""
    files = sorted({video.path for video in listed})
    hashes = file_hashes.hashes(root, files, Staging("index", name))
    return [index.Video(v.key, v.path, v.start, v.stop, v.split, hashes[v.path]) for v in listed]


def main() -> None:
    """Runs the stage for one domain."""
    name = stages.domain_argument()
    domain = params.load().domain(name)
    root = paths.raw(name)
    refuse_linked_folders(root)
    listed = list_domain(root, domain)
    labels = {video.key: video.label for video in listed if video.label is not None}
    with Staging("index", name).lock():
        index.write_videos(paths.videos(name), hashed(name, root, listed))
        index.write_labels(paths.labels(name), labels)
        index.write_classes(paths.classes(name), labels.values())
    if domain.dataset == "received":
        print(f"index {name}: a received model of {len(listed)} seeds, no videos")
        return
    train = sum(video.split == "train" for video in listed)
    print(
        f"index {name}: {train} train and {len(listed) - train} test videos, "
        f"{len(labels)} with a label, {len(set(labels.values()))} classes, "
        f"{len(domain.skip)} on the skip list"
    )


if __name__ == "__main__":
    stages.run(main)
