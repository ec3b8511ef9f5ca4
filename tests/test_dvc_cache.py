"""What DVC's cache holds of an output, and what of it is damaged."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline import dvc_cache, verify
from pipeline.errors import UserError

FEATURES = Path("data/features/yard")
ASKED = dvc_cache.folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace as DVC leaves it: two files of one output, linked into the cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dvc_cache, "folder", lambda: tmp_path / ".dvc/cache")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    rows = [{"md5": kept(tmp_path, name), "relpath": name} for name in ("0001.h5", "0000.h5")]
    listing = kept(tmp_path, json.dumps(rows), ".dir")
    outs = [{"path": FEATURES.as_posix(), "hash": "md5", "md5": listing}]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"features@yard": {"outs": outs}}}))
    FEATURES.mkdir(parents=True)
    for row in rows:
        FEATURES.joinpath(row["relpath"]).hardlink_to(stored(tmp_path, row["md5"]))
    return tmp_path / ".dvc/cache"


def kept(folder: Path, content: str, suffix: str = "") -> str:
    digest = hashlib.md5(content.encode()).hexdigest() + suffix
    path = stored(folder, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return digest


def stored(folder: Path, digest: str) -> Path:
    return folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def test_files_of_an_output_are_found_in_order_after_it_is_deleted(cache: Path) -> None:
    shutil.rmtree(FEATURES)
    found = dvc_cache.files(FEATURES)
    assert [path.read_text() for path in found] == ["0000.h5", "0001.h5"]
    assert all(path.is_relative_to(cache) for path in found)


def test_what_is_not_there_is_left_out() -> None:
    first, second = dvc_cache.files(FEATURES)
    first.unlink()
    assert dvc_cache.files(FEATURES) == [second]
    assert dvc_cache.files(Path("data/features/other")) == []
    shutil.rmtree(".dvc/cache")
    assert dvc_cache.files(FEATURES) == []
    Path("dvc.lock").unlink()
    assert dvc_cache.files(FEATURES) == []


def test_a_sound_cache_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    verify.main()
    assert capsys.readouterr().out.startswith("0 files of DVC's cache and 0 entries")
    assert len(dvc_cache.files(FEATURES)) == 2


def test_what_is_damaged_is_deleted_under_all_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = dvc_cache.files(FEATURES)
    first.write_text("0000.h6")
    with pytest.raises(SystemExit, match=r"dvc pull.*dvc repro"):
        verify.main()
    assert f"damaged, and now deleted: {FEATURES}/0000.h5" in capsys.readouterr().out
    assert dvc_cache.files(FEATURES) == [second]
    assert [path.name for path in FEATURES.iterdir()] == ["0001.h5"]


def test_a_dvc_that_does_not_answer_is_told() -> None:
    shutil.rmtree(".dvc")
    with pytest.raises(UserError, match="`dvc cache dir`: ERROR: "):
        ASKED()
