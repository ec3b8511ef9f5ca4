"""Hashes of files: right after any change, and of what has not changed nothing is read."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import file_hashes
from pipeline.staging import Staging

NAMES = ["a.mp4", "b/c.mp4", "b/d.mp4"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for name in NAMES:
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(name.encode())
    return tmp_path / "raw"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read, as they are."""
    names, once = list[str](), file_hashes.file_hash

    def noted(path: Path) -> str:
        names.append(path.name)
        return once(path)

    monkeypatch.setattr(file_hashes, "file_hash", noted)
    return names


def hashes(root: Path, names: list[str]) -> dict[str, str]:
    return file_hashes.hashes(root, names, Staging("index", "yard"))


def right(root: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names}


def test_a_second_run_reads_nothing(root: Path, read: list[str]) -> None:
    assert hashes(root, NAMES) == right(root, NAMES)
    assert len(read) == 3
    assert hashes(root, NAMES) == right(root, NAMES)
    assert len(read) == 3


def in_place_at_the_same_time(path: Path) -> None:
    """The same length, the same date: only the kernel's own note of the change differs."""
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_file(path: Path) -> None:
    path.with_suffix(".new").write_bytes(path.read_bytes().upper())
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("change", [in_place_at_the_same_time, another_file])
def test_a_changed_file_is_read_and_no_other(
    change: Callable[[Path], None], root: Path, read: list[str]
) -> None:
    hashes(root, NAMES)
    read.clear()
    change(root / "b/d.mp4")
    assert hashes(root, NAMES) == right(root, NAMES)
    assert read == ["d.mp4"]


def test_what_comes_and_goes_leaves_the_others_alone(root: Path, read: list[str]) -> None:
    hashes(root, NAMES)
    read.clear()
    (root / "new.mp4").write_bytes(b"new")
    names = [*NAMES[1:], "new.mp4"]
    assert hashes(root, names) == right(root, names)
    assert read == ["new.mp4"]


def test_a_damaged_memory_costs_a_reading(root: Path, read: list[str]) -> None:
    hashes(root, NAMES)
    read.clear()
    stored = Staging("index", "yard").path("hashes")
    stored.write_bytes(stored.read_bytes()[:-9])
    assert hashes(root, NAMES) == right(root, NAMES)
    assert len(read) == 3


def test_a_run_that_dies_keeps_what_it_has_read(
    root: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_hashes, "_EVERY", 0.0)
    (root / "b/d.mp4").unlink()
    (root / "b/d.mp4").mkdir()
    with pytest.raises(IsADirectoryError):
        hashes(root, NAMES)
    read.clear()
    assert hashes(root, NAMES[:2]) == right(root, NAMES[:2])
    assert read == []


def test_it_says_how_much_is_read(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hashes(root, NAMES[:2])
    hashes(root, NAMES)
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["index yard: 2 of 2 files read", "index yard: 1 of 3 files read"]
