"""What a power cut may leave: files that end early, are empty, or hold zeros."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.project import STAGES, published
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


def forget(project: Workspace, stage: str) -> None:
    """Takes away what a stage published of the yard, and what DVC kept of it."""
    folder = {"decode": "frames"}.get(stage, stage)
    shutil.rmtree(project.folder / "data" / folder / "yard")
    shutil.rmtree(project.folder / ".dvc/cache")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_damaged_entries_of_the_staging_store_are_made_anew(
    stage: str, damage: Damage, project: Workspace
) -> None:
    undisturbed = published(project)
    for path in random.Random(0).sample(entries(project, stage), 3):
        damage(path)
    forget(project, stage)
    printed = project.run("dvc", "repro", f"{stage}@yard", check=False)
    tries = 1
    while "damaged since it was written" in printed:  # an entry of full length is told when read
        tries += 1
        assert tries <= 2, printed
        printed = project.run("dvc", "repro", f"{stage}@yard", check=False)
    print(f"{stage}, {damage.__name__}: {tries} runs")
    assert tries == (2 if damage is zeros_at_the_start else 1)
    project.run("dvc", "repro", "features@yard")
    assert published(project) == undisturbed


def test_half_written_entries_are_swept_away(project: Workspace) -> None:
    rest = project.folder / ".staging/decode/yard/.abc.1234.part"
    rest.write_bytes(b"half")
    forget(project, "decode")
    printed = project.run("dvc", "repro", "decode@yard")
    assert videos_to_do(printed) == {"decode yard": 0}
    assert not rest.exists()


OUTPUTS = ["index/yard/videos.csv", "frames/yard/0000.zip", "flow/yard/0000.zip",
           "features/yard/0000.h5"]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_damaged_output_is_found_and_made_anew(
    name: str, damage: Damage, project: Workspace
) -> None:
    undisturbed = published(project)
    damage(project.folder / "data" / name)
    found = project.run("python", "-m", "pipeline.verify")
    print(found)
    printed = project.run("dvc", "repro", "features@yard")
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed


def test_a_dvc_lock_that_was_cut_off_can_be_deleted(project: Workspace) -> None:
    undisturbed = published(project)
    lock = project.folder / "dvc.lock"
    lock.write_bytes(lock.read_bytes()[: lock.stat().st_size // 2])
    told = project.run("dvc", "repro", "features@yard", check=False)
    print(told)
    lock.unlink()
    printed = project.run("dvc", "repro", "features@yard")
    assert set(videos_to_do(printed).values()) <= {0}
    assert published(project) == undisturbed
