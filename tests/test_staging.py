"""The staging store: entries whole or not at all, one run at a time, nothing kept for good."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import atomic, staging
from pipeline.errors import UserError
from pipeline.staging import Staging

ROOT = Path(staging.__file__).parent.parent


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def store() -> Staging:
    return Staging("decode", "street")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_entries_come_back_and_later_ones_replace_them() -> None:
    store().write("abc", b"first")
    store().write("abc", b"second")
    assert store().read("abc") == b"second"
    assert names(store().folder) == ["abc"]


def test_stages_and_domains_do_not_meet() -> None:
    store().write("abc", b"frames")
    Staging("flow", "street").write("abc", b"flow")
    Staging("decode", "studio").write("abc", b"others")
    assert store().read("abc") == b"frames"
    assert Staging("decode", "studio").prune(()) == 1
    assert store().path("abc").exists()


def test_the_store_stands_below_the_repository_that_dvc_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))
    assert store().path("abc") == tmp_path / "elsewhere/.staging/decode/street/abc"
    monkeypatch.delenv("DVC_ROOT")
    assert store().path("abc") == Path(".staging/decode/street/abc")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_entry_and_no_rest(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store().write("abc", b"whole")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    owner = os if call == "fsync" else Path
    monkeypatch.setattr(owner, call, full)
    with pytest.raises(UserError, match=r"No space left on device.*make room"):
        store().write("abc", b"new")
    assert store().read("abc") == b"whole"
    assert names(store().folder) == ["abc"]


def test_no_reader_sees_half_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    synced = os.fsync

    def look(file: int) -> None:
        seen.append(store().path("abc").exists())
        synced(file)

    monkeypatch.setattr(os, "fsync", look)
    store().write("abc", b"whole")
    assert seen == [False]
    assert store().path("abc").exists()


def test_pruning_keeps_what_is_named_and_takes_what_a_crash_left() -> None:
    for name in ("keep", "drop", "other"):
        store().write(name, b"x")
    (store().folder / ".keep.4242.part").write_bytes(b"half")
    assert store().prune({"keep", "absent"}) == 3
    assert names(store().folder) == ["keep"]


def test_pruning_everything_leaves_an_empty_folder() -> None:
    store().write("a", b"x")
    assert store().prune(()) == 1
    assert names(store().folder) == []


# entries that a power cut or a bad disk has changed


def changed(content: bytes) -> list[bytes]:
    """What may be left of a stored entry: less of it, zeros, another bit, more of it."""
    flipped = bytes([content[0] ^ 1]) + content[1:]
    zeros = bytes(len(content))
    return [b"", content[:5], content[:-1], zeros, flipped, zeros[:20] + content[20:], content * 2]


def test_a_changed_entry_is_never_read(tmp_path: Path) -> None:
    store().write("abc", b"frames" * 9)
    stored = store().path("abc").read_bytes()
    for content in changed(stored):
        store().write("good", b"whole")
        store().path("abc").write_bytes(content)
        with pytest.raises(
            UserError, match=r"decode/street: 1 entries were damaged.*run `dvc repro"
        ):
            store().read("abc")
        assert not store().holds("abc")
        assert store().read("good") == b"whole"


def test_what_lost_its_end_is_no_entry() -> None:
    store().write("abc", b"frames" * 9)
    stored = store().path("abc").read_bytes()
    assert store().holds("abc")
    assert store().size("abc") == 54
    held = []
    for content in changed(stored):
        store().path("abc").write_bytes(content)
        held.append(store().holds("abc"))
    assert held == [False, False, False, False, True, True, False]
    assert not store().holds("absent")


def test_an_empty_entry_is_an_entry() -> None:
    store().write("abc", b"")
    assert store().holds("abc")
    assert store().read("abc") == b""


# two runs at once


FIRST = """
import sys
from pipeline.staging import Staging

store = Staging("decode", "street")
with store.lock():
    print("begun", flush=True)
    sys.stdin.readline()
    store.write("abc", b"made by the first")
"""
SECOND = """
from pipeline.staging import Staging

store = Staging("decode", "street")
with store.lock():
    print(store.read("abc").decode())
"""


def started(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_the_second_run_waits_and_then_finds_the_entries_of_the_first() -> None:
    with started(FIRST) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "begun\n"
        with started(SECOND) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "decode street: waiting for another run of it\n"
            assert second.poll() is None
            first.communicate("go on\n", timeout=30)
            assert second.communicate(timeout=30)[0] == "made by the first\n"
    assert (first.returncode, second.returncode) == (0, 0)


def test_a_run_that_is_killed_leaves_no_lock_behind() -> None:
    with started(FIRST) as first:
        assert first.stdout is not None
        first.stdout.readline()
        first.kill()
    with store().lock():
        assert not store().path("abc").exists()


def test_other_domains_need_not_wait() -> None:
    with store().lock(), Staging("decode", "studio").lock(), Staging("flow", "street").lock():
        pass


# the command


def command(tmp_path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.staging", *arguments],
        cwd=ROOT, env={**os.environ, "DVC_ROOT": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_the_command_shows_and_clears_the_store(tmp_path: Path) -> None:
    with store().lock():
        store().write("a", bytes(1_500_000))
        store().write("b", bytes(1_000_000))
    Staging("flow", "street").write("c", bytes(500_000))
    shown = command(tmp_path).splitlines()
    assert shown == [
        "decode street: 2 entries, 2.5 MB",
        "flow street: 1 entries, 0.5 MB",
        f"{tmp_path}/.staging: 3.0 MB in all",
    ]
    cleared = command(tmp_path, "--clear").splitlines()
    assert cleared[-1] == f"{tmp_path}/.staging: 0.0 MB in all"
    assert not store().path("a").exists()
    assert not Staging("flow", "street").path("c").exists()
    assert store().cleared
    store().prune(())
    assert not store().cleared


def test_the_command_does_without_a_store(tmp_path: Path) -> None:
    assert command(tmp_path / "new", "--clear") == f"{tmp_path}/new/.staging: 0.0 MB in all\n"
    assert not (tmp_path / "new").exists()


# folders that appear whole


def test_a_new_folder_takes_the_place_of_the_old_one_only_when_it_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with atomic.new_folder(folder) as aside:
        (aside / "a").write_text("old")
    with atomic.new_folder(folder) as aside:
        (aside / "b").write_text("new")
        assert names(folder) == ["a"]
    assert names(folder) == ["b"]


def test_a_new_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with atomic.new_folder(folder) as aside:
        (aside / "a").write_text("old")
    with pytest.raises(FileNotFoundError), atomic.new_folder(folder) as aside:
        (aside / "missing/b").touch()
    assert names(folder) == ["a"]
    assert names(tmp_path) == ["out"]


def test_a_new_folder_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def sync(file: int) -> None:
        synced.append((Path(f"/proc/self/fd/{file}").readlink().name, (tmp_path / "out").exists()))

    monkeypatch.setattr(os, "fsync", sync)
    with atomic.new_folder(tmp_path / "out") as aside:
        (aside / "a").write_text("a")
        (aside / "below").mkdir()
        (aside / "below/b").write_text("b")
    assert sorted(synced) == [("a", False), ("b", False)]


def test_what_a_killed_run_left_is_not_published(tmp_path: Path) -> None:
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part/stale").touch()
    with atomic.new_folder(tmp_path / "out") as aside:
        (aside / "a").touch()
    assert names(tmp_path / "out") == ["a"]
