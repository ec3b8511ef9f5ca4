"""A disk that is full, or must not be written: told in a line, nothing lost, and it goes on."""

import shutil

import pytest
from faults.mounts import enlarge, read_only, small
from faults.project import FOLDERS, published, usage
from workspace import Workspace, videos_to_do

PLENTY = 2**28
FULL = "No space left on device"


def run(project: Workspace, stage: str) -> str:
    """A stage without DVC around it."""
    return project.run("python", "-m", f"pipeline.stages.{stage}", "yard", check=False)


def told(printed: str) -> None:
    """One line, no traceback, and what to do."""
    print(printed)
    assert "Traceback" not in printed
    assert FULL in printed
    assert "make room" in printed
    assert "the next run goes on from here" in printed


@pytest.mark.parametrize("stage", ["decode", "flow", "features"])
def test_a_full_disk_keeps_what_is_finished(stage: str, project: Workspace) -> None:
    """First the staging store finds no room, then what the stage publishes."""
    undisturbed = published(project)
    (project.folder / "dvc.lock").unlink()  # or features would be taken over from DVC's cache
    store = project.folder / ".staging" / stage
    output = project.folder / "data" / FOLDERS[stage]
    needed, size = usage(store), usage(output / "yard")
    for folder in (store, output):
        shutil.rmtree(folder)
    with small(store, needed * 2 // 3), small(output, 8192):
        told(run(project, stage))
        kept = len(list((store / "yard").glob("[0-9a-f]*")))
        assert 0 < kept < 12
        enlarge(store, PLENTY)
        printed = run(project, stage)
        assert size > 8192
        told(printed)
        assert videos_to_do(printed) == {f"{stage} yard": 12 - kept}
        assert not list(output.glob("*/*"))
        enlarge(output, PLENTY)
        assert videos_to_do(run(project, stage)) == {f"{stage} yard": 0}
        assert published(project) == undisturbed


def test_a_cache_of_dvc_without_room_keeps_all_that_was_computed(project: Workspace) -> None:
    undisturbed = published(project)
    cache = project.folder / ".dvc/cache"
    shutil.rmtree(cache)
    shutil.rmtree(project.folder / "data/features")
    with small(cache, 4096 * 4):
        printed = project.run("dvc", "repro", "-s", "features@yard", check=False)
        print(printed)
        assert FULL in printed
        enlarge(cache, PLENTY)
        printed = project.run("dvc", "repro", "-s", "features@yard")
        print(printed)
        assert set(videos_to_do(printed).values()) <= {0}
        assert published(project) == undisturbed


def test_a_cache_that_cannot_be_written_keeps_all_that_was_computed(project: Workspace) -> None:
    undisturbed = published(project)
    cache = project.folder / ".dvc/cache"
    shutil.rmtree(cache)
    cache.mkdir()
    shutil.rmtree(project.folder / "data/features")
    with read_only(cache):
        printed = project.run("dvc", "repro", "-s", "features@yard", check=False)
        print(printed)
        assert "Read-only file system" in printed
    printed = project.run("dvc", "repro", "-s", "features@yard")
    print(printed)
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed


def test_a_results_folder_that_cannot_be_written_is_told(project: Workspace) -> None:
    index = project.folder / "data/index/yard"
    for path in index.iterdir():
        path.chmod(0o644)
    with read_only(index):
        printed = run(project, "index")
        print(printed)
        assert "Traceback" not in printed
        assert "Read-only file system; it must be writable" in printed
