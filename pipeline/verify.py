"""Finds damaged files in DVC's cache and in the staging store, and takes them away.

    python -m pipeline.verify

For after a power cut, or when a disk is in doubt: DVC takes a file of its cache for what its name
says, the MD5 of its content, and links it into the workspace as often as asked. Here everything is
read. What is damaged is deleted under all its names; `dvc pull` or `dvc repro` brings it back.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pipeline.stages
from pipeline import dvc_cache, staging


def damaged_objects(cache: Path) -> Iterator[Path]:
    """The files of DVC's cache whose content is not what their name says."""
    for path in sorted((cache / "files/md5").glob("??/*")):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        if digest != path.parent.name + path.stem:
            yield path


def other_names(paths: list[Path]) -> Iterator[Path]:
    """The files of the workspace that are the same as some of `paths`, by hard links."""
    wanted = {path.stat().st_ino for path in paths}
    tops = [top for top in Path().iterdir() if not top.name.startswith(".")]
    for path in (path for top in tops if wanted for path in top.rglob("*")):
        if path.is_file() and path.stat().st_ino in wanted:
            yield path


def main() -> None:
    """Deletes what is damaged, and says what it was."""
    damaged = list(damaged_objects(dvc_cache.folder()))
    for path in [*other_names(damaged), *damaged]:
        print(f"damaged, and now deleted: {path}")
        path.unlink()
    swept = 0
    for store in staging.stored():
        with store.lock():
            swept += store.sweep()
    print(f"{len(damaged)} files of DVC's cache and {swept} entries of .staging were damaged")
    if damaged:
        sys.exit("run `dvc pull`, where there is a remote, or `dvc repro`: it brings them back")


if __name__ == "__main__":
    pipeline.stages.run(main)
