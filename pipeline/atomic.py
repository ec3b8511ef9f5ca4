"""Files and folders that appear whole or not at all: written aside, synced, renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_file(path: Path, content: bytes | str) -> None:
    """Writes a file so that a reader, or the next run after a crash, sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    data = content.encode() if isinstance(content, str) else content
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def require_room(folder: Path, size: int) -> None:
    """Raises OSError if the disk of a folder has no room for `size` bytes."""
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` that takes its place when the block ends without an error.

    What is in it is on the disk by then, so that a power cut cannot empty files that DVC knows.
    """
    aside, replaced = (path.with_name(f".{path.name}.{name}") for name in ("part", "replaced.part"))
    shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        for file in filter(Path.is_file, aside.rglob("*")):
            with file.open("rb") as written:
                os.fsync(written.fileno())
        if path.exists():  # a kill must not leave half of it under its name
            path.rename(replaced)
        aside.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
