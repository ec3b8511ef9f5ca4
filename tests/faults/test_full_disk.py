"""A disk that is full, or must not be written: told in a line, nothing lost, and it goes on."""

import os
import shutil
from pathlib import Path

import pytest
from faults.mounts import enlarge, read_only, small
from faults.project import STAGES, new_project, published, usage
from workspace import Workspace, videos_to_do

PLENTY = 2**28


@pytest.fixture
def undisturbed(finished: Workspace) -> dict[str, dict[str, str]]:
    return published(finished)


def forget_all(project: Workspace) -> None:
    for name in (".staging", ".dvc/cache", "data/frames", "data/flow", "data/features"):
        shutil.rmtree(project.folder / name, ignore_errors=True)
    (project.folder / "dvc.lock").unlink()


def plain(printed: str) -> None:
    """No traceback but DVC's own, and what to do."""
    assert "Traceback" not in printed
    assert "No space left on device" in printed


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_full_staging_store_keeps_what_is_finished(
    share: float, stage: str, project: Workspace, undisturbed: dict[str, dict[str, str]]
) -> None:
    store = project.folder / ".staging" / stage
    needed = usage(store / "yard")
    shutil.rmtree(project.folder / ".staging")
    forget_all(project)
    before = {"decode": "index", "flow": "decode", "features": "flow"}[stage]
    project.run("dvc", "repro", f"{before}@yard")
    with small(store, int(needed * share)):
        printed = project.run("dvc", "repro", f"{stage}@yard", check=False)
        print(printed)
        plain(printed)
        assert "make room or mend its rights; the next run goes on from here" in printed
        kept = len(list((store / "yard").glob("[0-9a-f]*")))
        enlarge(store, PLENTY)
        printed = project.run("dvc", "repro", f"{stage}@yard")
        assert videos_to_do(printed)[f"{stage} yard"] == 12 - kept
        project.run("dvc", "repro", "features@yard")
        assert published(project) == undisturbed


@pytest.mark.parametrize("stage", STAGES)
def test_a_disk_too_full_to_publish_keeps_all_that_was_computed(
    stage: str, project: Workspace, undisturbed: dict[str, dict[str, str]]
) -> None:
    forget_all(project)
    folder = project.folder / "data" / {"decode": "frames"}.get(stage, stage)
    before = {"decode": "index", "flow": "decode", "features": "flow"}[stage]
    project.run("dvc", "repro", f"{before}@yard")
    with small(folder, 16384):
        printed = project.run("dvc", "repro", f"{stage}@yard", check=False)
        print(printed)
        plain(printed)
        enlarge(folder, PLENTY)
        printed = project.run("dvc", "repro", f"{stage}@yard")
        assert videos_to_do(printed)[f"{stage} yard"] == 0
        project.run("dvc", "repro", "features@yard")
        assert published(project) == undisturbed


def test_a_full_cache_of_dvc_keeps_all_that_was_computed(
    project: Workspace, undisturbed: dict[str, dict[str, str]]
) -> None:
    forget_all(project)
    cache = project.folder / ".dvc/cache"
    with small(cache, 65536):
        printed = project.run("dvc", "repro", "features@yard", check=False)
        print(printed)
        assert "No space left on device" in printed
        enlarge(cache, PLENTY)
        printed = project.run("dvc", "repro", "features@yard")
        print(videos_to_do(printed))
        assert published(project) == undisturbed


def test_a_cache_that_cannot_be_written_keeps_all_that_was_computed(
    project: Workspace, undisturbed: dict[str, dict[str, str]]
) -> None:
    forget_all(project)
    cache = project.folder / ".dvc/cache"
    cache.mkdir()
    with read_only(cache):
        printed = project.run("dvc", "repro", "features@yard", check=False)
        print(printed)
        assert "Read-only file system" in printed
    printed = project.run("dvc", "repro", "features@yard")
    print(videos_to_do(printed))
    assert published(project) == undisturbed


def test_a_whole_disk_that_is_full(tmp_path: Path) -> None:
    """Project, staging store, cache and all on one small disk, from index to report."""
    with small(tmp_path / "disk", PLENTY):
        project = new_project(tmp_path / "disk/project")
        filler = tmp_path / "disk/filler"
        for free in (100_000, 300_000, 600_000):
            fill(filler, free)
            printed = project.run("dvc", "repro", check=False)
            print(printed[-500:])
            if "No space left" not in printed:
                continue
            assert "Traceback" not in printed
        filler.unlink()
        project.run("dvc", "repro")


def fill(path: Path, free: int) -> None:
    """Takes all room on the disk but `free` bytes."""
    path.unlink(missing_ok=True)
    status = os.statvfs(path.parent)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - free)
