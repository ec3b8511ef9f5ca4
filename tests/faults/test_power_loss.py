"""What a power cut may leave: files that end early, are empty, or hold zeros."""

import shutil
from collections.abc import Callable
from pathlib import Path

from faults.project import FOLDERS, STAGES, flip_a_feature, published
from workspace import Workspace, videos_to_do

Damage = Callable[[Path], None]


def rewrite(path: Path, content: bytes) -> None:
    """In place, as a disk would: under all names that the file has, with its rights."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(content)
    path.chmod(mode)


def emptied(path: Path) -> None:
    rewrite(path, b"")


def cut_off(path: Path) -> None:
    rewrite(path, path.read_bytes()[: path.stat().st_size // 2])


def zeros(path: Path) -> None:
    rewrite(path, bytes(path.stat().st_size))


def zeros_at_the_start(path: Path) -> None:
    content = path.read_bytes()
    half = len(content) // 2
    rewrite(path, bytes(half) + content[half:])


DAMAGES: list[Damage] = [emptied, cut_off, zeros, zeros_at_the_start]


def entries(project: Workspace, stage: str) -> list[Path]:
    return sorted((project.folder / ".staging" / stage / "yard").glob("[0-9a-f]*"))


def run(project: Workspace, stage: str) -> str:
    """A stage without DVC around it."""
    return project.run("python", "-m", f"pipeline.stages.{stage}", "yard", check=False)


def test_damaged_entries_of_the_staging_store_are_made_anew(project: Workspace) -> None:
    undisturbed = published(project)
    (project.folder / "dvc.lock").unlink()  # or features would be taken over from DVC's cache
    for stage in STAGES:
        for damage, path in zip(DAMAGES, entries(project, stage), strict=False):
            damage(path)
        (project.folder / ".staging" / stage / "yard/.abc.1234.part").write_bytes(b"half")
        shutil.rmtree(project.folder / "data" / FOLDERS[stage] / "yard")
        printed = run(project, stage)
        print(printed)
        assert videos_to_do(printed) == {f"{stage} yard": 3}  # the fourth is as long as it was
        assert "1 entries were damaged since they were written, and are taken away" in printed
        assert videos_to_do(run(project, stage)) == {f"{stage} yard": 1}
        assert sorted(path.name for path in entries(project, stage)) == sorted(
            path.name for path in (project.folder / ".staging" / stage / "yard").iterdir()
        )
    assert published(project) == undisturbed


def test_damaged_outputs_are_found_deleted_and_made_anew(project: Workspace) -> None:
    undisturbed = published(project)
    outputs = ["frames/yard/0000.zip", "flow/yard/0000.zip", "features/yard/0000.h5"]
    for damage, name in zip(DAMAGES[:3], outputs, strict=True):
        damage(project.folder / "data" / name)
    found = project.run("python", "-m", "pipeline.verify", check=False)
    print(found)
    assert "3 files of DVC's cache and 0 entries of .staging were damaged" in found
    for name in outputs:
        assert f"damaged, and now deleted: data/{name}" in found
    printed = project.run("dvc", "repro", "features@yard")
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed


def test_a_bit_that_flipped_in_dvcs_cache(project: Workspace) -> None:
    undisturbed = published(project)
    (features,) = (project.folder / "data/features/yard").glob("*.h5")
    flip_a_feature(features)
    printed = project.run("dvc", "repro", "features@yard", check=False)
    print(printed)
    print("as it was:", published(project) == undisturbed)
    found = project.run("python", "-m", "pipeline.verify", check=False)
    print(found)
    printed = project.run("dvc", "repro", "features@yard")
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed


def test_a_dvc_lock_that_was_cut_off_can_be_deleted(project: Workspace) -> None:
    undisturbed = published(project)
    lock = project.folder / "dvc.lock"
    content = lock.read_text()
    lock.write_text(content[: content.index("  - path", len(content) // 2) + 5])
    told = project.run("dvc", "repro", "features@yard", check=False)
    print(told)
    assert "'./dvc.lock' validation failed" in told
    lock.unlink()
    printed = project.run("dvc", "repro", "features@yard")
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed
