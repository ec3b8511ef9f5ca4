"""Videos come, change, move and go: only what changed is computed, and all is as if new."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.project import STAGES, film, flip_a_feature, new_project, published, raw, usage
from workspace import Workspace, videos_to_do

Change = Callable[[Path], None]


def add(folder: Path) -> None:
    for number in (900, 901):
        film(folder / f"run/{number}.mp4", number)


def replace(folder: Path) -> None:
    (folder / "jump/003.mp4").unlink()
    film(folder / "jump/003.mp4", 902)


def rename(folder: Path) -> None:
    (folder / "walk/002.mp4").rename(folder / "walk/another name.mp4")


def relabel(folder: Path) -> None:
    (folder / "walk/005.mp4").rename(folder / "run/005.mp4")


def remove(folder: Path) -> None:
    (folder / "run/004.mp4").unlink()


CHANGES: dict[str, tuple[Change, int, int]] = {  # files that index reads, videos computed
    "add": (add, 2, 2),
    "replace": (replace, 1, 1),
    "rename": (rename, 1, 0),
    "relabel": (relabel, 1, 0),
    "remove": (remove, 0, 0),
}


def repro(workspace: Workspace) -> tuple[int, dict[str, int]]:
    """How many files stage `index` read, and how many videos the other stages computed."""
    printed = workspace.run("dvc", "repro", "features@yard")
    read = re.search(r"^index yard: (\d+) of \d+ files read", printed, flags=re.MULTILINE)
    computed = videos_to_do(printed)
    assert read is not None, printed
    print(f"files read: {read[1]}, videos computed: {computed}")
    return int(read[1]), computed


def built_from_nothing(workspace: Workspace, folder: Path, stream: bool) -> Workspace:
    """Another project, which has never run, with the same videos."""
    fresh = new_project(folder, videos=0, features={"stream": stream})
    shutil.copytree(raw(workspace), raw(fresh))
    fresh.run("dvc", "repro", "features@yard")
    return fresh


@pytest.mark.parametrize("name", CHANGES)
def test_only_what_changed_is_computed_and_all_is_as_built_from_nothing(
    name: str, project: Workspace, tmp_path: Path
) -> None:
    change, to_read, to_compute = CHANGES[name]
    change(raw(project))
    assert repro(project) == (to_read, {f"{stage} yard": to_compute for stage in STAGES})
    fresh = built_from_nothing(project, tmp_path / "fresh", stream=False)
    assert published(project) == published(fresh)


def test_so_it_is_straight_from_the_videos_with_all_changes_at_once(
    project: Workspace, tmp_path: Path
) -> None:
    project.set_params(features={"stream": True})
    for change, _, _ in CHANGES.values():
        change(raw(project))
    assert repro(project) == (5, {"features yard": 3})
    fresh = built_from_nothing(project, tmp_path / "fresh", stream=True)
    assert published(project) == published(fresh)


def pulled(project: Workspace, folder: Path) -> Workspace:
    """A clone whose owner has the videos and has pulled the features: no frames, flow, staging."""
    remote = str(folder.parent / "remote")
    project.run("dvc", "remote", "add", "-d", "store", remote)
    project.commit()
    project.run("dvc", "push", "-q")
    project.run("git", "clone", "-q", str(project.folder), str(folder))
    clone = Workspace(folder)
    clone.run("dvc", "pull", "-q", "--allow-missing")
    shutil.copytree(raw(project), raw(clone))
    assert not (folder / ".staging").exists()
    assert not list((folder / "data").glob("f*/yard/*.zip"))  # neither frames nor flow
    assert list((folder / "data/features/yard").glob("*.h5"))
    return clone


def test_a_teammate_who_pulled_only_features_computes_only_the_new_videos(
    project: Workspace, tmp_path: Path
) -> None:
    project.set_params(features={"stream": True})
    project.run("dvc", "repro", "features@yard")
    clone = pulled(project, tmp_path / "clone")
    add(raw(clone))
    printed = clone.run("dvc", "repro", "features@yard")
    assert "features yard: 12 videos taken over from DVC's cache" in printed
    assert videos_to_do(printed) == {"features yard": 2}
    fresh = built_from_nothing(clone, tmp_path / "fresh", stream=True)
    assert published(clone) == published(fresh)


def test_without_stream_a_teammate_decodes_anew_but_extracts_only_the_new_videos(
    project: Workspace, tmp_path: Path
) -> None:
    clone = pulled(project, tmp_path / "clone")
    add(raw(clone))
    printed = clone.run("dvc", "repro", "features@yard")
    assert videos_to_do(printed) == {"decode yard": 14, "flow yard": 14, "features yard": 2}


def test_a_damaged_file_in_the_cache_is_not_taken_over(project: Workspace, tmp_path: Path) -> None:
    project.set_params(features={"stream": True})
    project.run("dvc", "repro", "features@yard")
    undisturbed = published(project)
    clone = pulled(project, tmp_path / "clone")
    (features,) = (clone.folder / "data/features/yard").glob("*.h5")
    flip_a_feature(features)  # a hard link: DVC's cache holds it too
    film(raw(clone) / "run/900.mp4", 900)
    printed = clone.run("dvc", "repro", "features@yard")
    assert "note: " in printed
    assert ": damaged (" in printed
    assert "python -m pipeline.verify" in printed  # or DVC would link the damaged file once more
    assert "now deleted" in clone.run("python", "-m", "pipeline.verify", check=False)
    (raw(clone) / "run/900.mp4").unlink()
    clone.run("dvc", "repro", "features@yard")
    assert published(clone) == undisturbed


def test_disk_in_use_is_two_copies_of_what_is_published(project: Workspace) -> None:
    for change, _, _ in CHANGES.values():
        change(raw(project))
        project.run("dvc", "repro", "features@yard")
    project.run("dvc", "gc", "--workspace", "--force")
    folder = project.folder
    outputs = sum(usage(folder / "data" / name) for name in ("index", "frames", "flow", "features"))
    staging = usage(folder / ".staging")
    cache, runs = usage(folder / ".dvc/cache/files"), usage(folder / ".dvc/cache/runs")
    together = usage(folder / "data", folder / ".dvc/cache/files", folder / ".staging")
    videos = usage(folder / "data/raw")
    print(f"videos {videos}, published {outputs}, .staging {staging}, cache {cache} bytes;")
    print(f"all together, hard links counted once, {together} bytes; DVC's notes on runs {runs}")
    assert staging < 1.1 * outputs
    assert together - videos < 2.2 * outputs
