"""What stands at a path may be a link into DVC's cache, which others use too."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import atomic


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_is_replaced_and_never_written_through(
    link: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    cached, path = tmp_path / "cached", tmp_path / "folder" / "output"
    cached.write_text("shared")
    path.parent.mkdir()
    link(cached, path)
    atomic.write_file(path, "new")
    assert (cached.read_text(), path.read_text()) == ("shared", "new")

    path.unlink()
    link(cached, path)
    with atomic.new_folder(path.parent) as folder:
        (folder / path.name).write_text("newer")
    assert (cached.read_text(), path.read_text()) == ("shared", "newer")


def test_a_folder_that_is_replaced_is_never_seen_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen, removed = tmp_path / "folder", list[list[str]](), shutil.rmtree

    def look(doomed: Path, *, ignore_errors: bool) -> None:
        seen.append(sorted(file.name for file in path.glob("*")))
        removed(doomed, ignore_errors=ignore_errors)

    with atomic.new_folder(path) as folder:
        (folder / "old").touch()
    with atomic.new_folder(path) as folder:
        (folder / "new").touch()
        monkeypatch.setattr(shutil, "rmtree", look)
    assert seen == [["new"], ["new"]]
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
